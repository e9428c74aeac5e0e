//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// 24,576 entry points, six for each of 4,096 tables. An entry point loads its own number
// into R9, a scratch register that no argument is passed in, and jumps on. The arguments
// in R0 to R6, the link register and the stack are as the plugin left them. The number fits
// the 16 bits of one MOVZ, so every entry point is two instructions long.

#define ENTRY(n) MOVD $(n), R9; JMP enter<>(SB)
#define TABLE(n) ENTRY(n); ENTRY(n+1); ENTRY(n+2); ENTRY(n+3); ENTRY(n+4); ENTRY(n+5)
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
DATA ·entrySize(SB)/8, $8
GLOBL ·entrySize(SB), NOPTR|RODATA, $8

// What is taken off the stack: the link register and a frame, as a multiple of 16.
#define FRAME 16
#define ROOM (((frame__size+15)/16)*16+FRAME)

// enter writes the arguments into a frame on the C stack and has the runtime call Go with
// its address: crosscall2(fn, frame, _, ctxt), which saves what a C function must keep (R19
// to R29, F8 to F15) and borrows the runtime's structures for a thread that has none. It is
// runtime/cgo's, or purego's where cgo is off.
//
// The address of entered goes through R10: loading the variable directly would use R27,
// which a C caller expects to find unchanged.
TEXT enter<>(SB), NOSPLIT|NOFRAME, $0-0
	SUB $ROOM, RSP
	STP (R29, R30), 0(RSP)
	STP (R0, R1), (FRAME+frame_args+0)(RSP)
	STP (R2, R3), (FRAME+frame_args+16)(RSP)
	STP (R4, R5), (FRAME+frame_args+32)(RSP)
	MOVD R6, (FRAME+frame_args+48)(RSP)
	MOVD R9, (FRAME+frame_number)(RSP)
	MOVD ZR, (FRAME+frame_result)(RSP)
	MOVD RSP, R29
	MOVD $·entered(SB), R10
	MOVD (R10), R10
	MOVD (R10), R0
	ADD $FRAME, RSP, R1
	MOVD ZR, R2
	MOVD ZR, R3
	BL crosscall2(SB)
	MOVD (FRAME+frame_result)(RSP), R0
	LDP 0(RSP), (R29, R30)
	ADD $ROOM, RSP
	RET
