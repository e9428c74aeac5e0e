//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// 24,576 entry points, six for each of 4,096 tables. An entry point loads its own number
// into AX, which no C function of a fixed number of arguments is given anything in, and
// jumps on. The stack and the registers of the six integer arguments are as the plugin
// left them; the seventh argument, which only invoke has, is on the stack, above the
// return address.

#define ENTRY(n, to) MOVL $(n), AX; JMP to<>(SB)
#define TABLE(n) ENTRY(n, enter); ENTRY(n+1, enter); ENTRY(n+2, enter); ENTRY(n+3, enter); ENTRY(n+4, enter); ENTRY(n+5, seventh)
#define TABLE4(n) TABLE(n); TABLE(n+6); TABLE(n+12); TABLE(n+18)
#define TABLE16(n) TABLE4(n); TABLE4(n+24); TABLE4(n+48); TABLE4(n+72)
#define TABLE64(n) TABLE16(n); TABLE16(n+96); TABLE16(n+192); TABLE16(n+288)
#define TABLE256(n) TABLE64(n); TABLE64(n+384); TABLE64(n+768); TABLE64(n+1152)
#define TABLE1024(n) TABLE256(n); TABLE256(n+1536); TABLE256(n+3072); TABLE256(n+4608)

TEXT entries<>(SB), NOSPLIT|NOFRAME, $0-0
	TABLE1024(0)
	TABLE1024(6144)
	TABLE1024(12288)
	TABLE1024(18432)

DATA ·entryBase(SB)/8, $entries<>(SB)
GLOBL ·entryBase(SB), NOPTR|RODATA, $8
DATA ·entrySize(SB)/8, $10
GLOBL ·entrySize(SB), NOPTR|RODATA, $8

TEXT seventh<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ 8(SP), R10
	JMP enter<>(SB)

// What is taken off the stack: a frame, and as much more as makes SP a multiple of 16
// again, which on entry is 8 below one.
#define ROOM (((frame__size+7)/16)*16+8)

// enter writes the arguments into a frame on the C stack and has the runtime call Go with
// its address: crosscall2(fn, frame, _, ctxt), which saves what a C function must keep
// (BX, BP, R12 to R15) and borrows the runtime's structures for a thread that has none. It
// is runtime/cgo's, or purego's where cgo is off.
TEXT enter<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBQ $ROOM, SP
	MOVQ AX, frame_number(SP)
	MOVQ DI, (frame_args+0)(SP)
	MOVQ SI, (frame_args+8)(SP)
	MOVQ DX, (frame_args+16)(SP)
	MOVQ CX, (frame_args+24)(SP)
	MOVQ R8, (frame_args+32)(SP)
	MOVQ R9, (frame_args+40)(SP)
	MOVQ R10, (frame_args+48)(SP)
	MOVQ $0, frame_result(SP)
	MOVQ ·entered(SB), DI
	MOVQ (DI), DI
	MOVQ SP, SI
	XORL CX, CX
	CALL crosscall2(SB)
	MOVQ frame_result(SP), AX
	ADDQ $ROOM, SP
	RET
