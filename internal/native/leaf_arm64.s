//go:build !nyash_portable && !nyash_noleaf && (darwin || freebsd || linux)

#include "textflag.h"
#include "go_asm.h"

// func callLeaf(fn uintptr, c *call, page *hostvtable.LeafPage)
//
// The C stack ends below the page, which is a multiple of 16. C keeps R19, the Go stack, and
// R20, c.
TEXT ·callLeaf(SB), NOSPLIT, $16-24
	MOVD fn+0(FP), R9
	MOVD c+8(FP), R20
	MOVD page+16(FP), R11
	MOVD RSP, R19
	MOVWU call_TypeID(R20), R0
	MOVWU call_Method(R20), R1
	MOVWU call_Instance(R20), R2
	MOVD call_Args(R20), R3
	MOVD call_ArgsLength(R20), R4
	MOVD call_Result(R20), R5
	ADD $call_ResultLength, R20, R6
	MOVD R11, RSP
	CALL (R9)
	MOVD R19, RSP
	MOVW R0, call_Code(R20)
	RET

// func callLeafTable(fn uintptr, c *call, page *hostvtable.LeafPage): likewise, for invoke_id
// of a TypeBox table.
TEXT ·callLeafTable(SB), NOSPLIT, $16-24
	MOVD fn+0(FP), R9
	MOVD c+8(FP), R20
	MOVD page+16(FP), R11
	MOVD RSP, R19
	MOVWU call_Instance(R20), R0
	MOVWU call_Method(R20), R1
	MOVD call_Args(R20), R2
	MOVD call_ArgsLength(R20), R3
	MOVD call_Result(R20), R4
	ADD $call_ResultLength, R20, R5
	MOVD R11, RSP
	CALL (R9)
	MOVD R19, RSP
	MOVW R0, call_Code(R20)
	RET

// void leafSignal(int signal, siginfo_t *info, void *context): the handler of what ends a
// process, called by the kernel on the signal stack. With SP in the region of leaf stacks, and where
// crashes are told, it is leafFault's to judge; all else is for the handler that was there before.
TEXT leafSignal<>(SB), NOSPLIT|NOFRAME, $0-0
#ifdef GOOS_darwin
	MOVD const_contextRegisters(R2), R3
	MOVD const_registerSP(R3), R3
#else
	MOVD const_registerSP(R2), R3
#endif
	MOVD $·leafFaults(SB), R4
	MOVD 0(R4), R5
	MOVD 8(R4), R6
	SUB R5, R3
	CMP R6, R3
	BLO judge
	MOVD $·crashAdvice(SB), R4
	MOVD 8(R4), R5
	CBZ R5, before
judge:
	SUB $80, RSP
	STP (R29, R30), 40(RSP)
	STP (R0, R1), 56(RSP)
	MOVD R2, 72(RSP)
	MOVD R0, 8(RSP)
	MOVD R1, 16(RSP)
	MOVD R2, 24(RSP)
	// R28, which is g in Go, has what C has it for: leafFault needs none. Nor is there a frame
	// pointer.
	MOVD ZR, R29
	CALL ·leafFault(SB)
	MOVBU 32(RSP), R3
	LDP 40(RSP), (R29, R30)
	LDP 56(RSP), (R0, R1)
	MOVD 72(RSP), R2
	ADD $80, RSP
	CBZ R3, before
	RET
before:
	MOVD $·handlersBefore(SB), R4
	MOVWU R0, R5
	MOVD (R4)(R5<<3), R4
	JMP (R4)

DATA ·leafSignal(SB)/8, $leafSignal<>(SB)
GLOBL ·leafSignal(SB), NOPTR|RODATA, $8

// func callSignalSafe(fn, a, b, c uintptr) uintptr: calls a C function from a signal handler,
// on its stack, which is a multiple of 16 in Go, too.
TEXT ·callSignalSafe(SB), NOSPLIT, $16-40
	MOVD fn+0(FP), R9
	MOVD a+8(FP), R0
	MOVD b+16(FP), R1
	MOVD c+24(FP), R2
	CALL (R9)
	MOVD R0, ret+32(FP)
	RET

// func exchange(p *uint32, v uint32) (old uint32)
TEXT ·exchange(SB), NOSPLIT, $0-20
	MOVD p+0(FP), R0
	MOVWU v+8(FP), R1
again:
	LDAXRW (R0), R2
	STLXRW R1, (R0), R3
	CBNZ R3, again
	MOVW R2, old+16(FP)
	RET

// func textBounds() (low, end uintptr)
TEXT ·textBounds(SB), NOSPLIT, $0-16
	MOVD $runtime·text(SB), R0
	MOVD R0, low+0(FP)
	MOVD $runtime·etext(SB), R0
	MOVD R0, end+8(FP)
	RET
