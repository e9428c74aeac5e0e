//go:build !nyash_portable && !nyash_noleaf && (darwin || freebsd || linux)

#include "textflag.h"
#include "go_asm.h"

// func callLeaf(fn uintptr, c *call, page *hostvtable.LeafPage)
//
// The C stack ends below the page, which is a multiple of 16: 16 bytes of it leave SP such a
// multiple, with the seventh argument at 0(SP), as in invokeC. C keeps R12, the Go stack, and
// R13, c.
TEXT ·callLeaf(SB), NOSPLIT, $0-24
	MOVQ fn+0(FP), AX
	MOVQ c+8(FP), R13
	MOVQ page+16(FP), R11
	MOVQ SP, R12
	LEAQ call_ResultLength(R13), R10
	MOVQ R10, -16(R11)
	MOVL call_TypeID(R13), DI
	MOVL call_Method(R13), SI
	MOVL call_Instance(R13), DX
	MOVQ call_Args(R13), CX
	MOVQ call_ArgsLength(R13), R8
	MOVQ call_Result(R13), R9
	LEAQ -16(R11), SP
	CALL AX
	MOVQ R12, SP
	MOVL AX, call_Code(R13)
	RET

// func callLeafTable(fn uintptr, c *call, page *hostvtable.LeafPage): likewise, for invoke_id
// of a TypeBox table.
TEXT ·callLeafTable(SB), NOSPLIT, $0-24
	MOVQ fn+0(FP), AX
	MOVQ c+8(FP), R13
	MOVQ page+16(FP), R11
	MOVQ SP, R12
	MOVL call_Instance(R13), DI
	MOVL call_Method(R13), SI
	MOVQ call_Args(R13), DX
	MOVQ call_ArgsLength(R13), CX
	MOVQ call_Result(R13), R8
	LEAQ call_ResultLength(R13), R9
	MOVQ R11, SP
	CALL AX
	MOVQ R12, SP
	MOVL AX, call_Code(R13)
	RET

// void leafSignal(int signal, siginfo_t *info, void *context): the handler of what ends a
// process, called by the kernel on the signal stack. With SP in the region of leaf stacks, and where
// crashes are told, it is leafFault's to judge; all else is for the handler that was there before.
TEXT leafSignal<>(SB), NOSPLIT|NOFRAME, $0-0
#ifdef GOOS_darwin
	MOVQ const_contextRegisters(DX), AX
	MOVQ const_registerSP(AX), AX
#else
	MOVQ const_registerSP(DX), AX
#endif
	SUBQ ·leafFaults(SB), AX
	CMPQ AX, ·leafFaults+8(SB)
	JCS judge
	CMPQ ·crashAdvice+8(SB), $0
	JEQ before
judge:
	SUBQ $56, SP
	MOVQ DI, 32(SP)
	MOVQ SI, 40(SP)
	MOVQ DX, 48(SP)
	MOVQ DI, 0(SP)
	MOVQ SI, 8(SP)
	MOVQ DX, 16(SP)
	CALL ·leafFault(SB)
	MOVBLZX 24(SP), AX
	MOVQ 32(SP), DI
	MOVQ 40(SP), SI
	MOVQ 48(SP), DX
	ADDQ $56, SP
	TESTL AX, AX
	JEQ before
	RET
before:
	LEAQ ·handlersBefore(SB), AX
	MOVL DI, CX
	MOVQ (AX)(CX*8), AX
	JMP AX

DATA ·leafSignal(SB)/8, $leafSignal<>(SB)
GLOBL ·leafSignal(SB), NOPTR|RODATA, $8

// func callSignalSafe(fn, a, b, c uintptr) uintptr: calls a C function from a signal handler,
// on its stack.
TEXT ·callSignalSafe(SB), NOSPLIT, $0-40
	MOVQ fn+0(FP), AX
	MOVQ a+8(FP), DI
	MOVQ b+16(FP), SI
	MOVQ c+24(FP), DX
	MOVQ SP, R12
	ANDQ $~15, SP
	CALL AX
	MOVQ R12, SP
	MOVQ AX, ret+32(FP)
	RET

// func exchange(p *uint32, v uint32) (old uint32)
TEXT ·exchange(SB), NOSPLIT, $0-20
	MOVQ p+0(FP), AX
	MOVL v+8(FP), CX
	XCHGL CX, (AX)
	MOVL CX, old+16(FP)
	RET

// func textBounds() (low, end uintptr)
TEXT ·textBounds(SB), NOSPLIT, $0-16
	MOVQ $runtime·text(SB), AX
	MOVQ AX, low+0(FP)
	MOVQ $runtime·etext(SB), AX
	MOVQ AX, end+8(FP)
	RET
