//go:build !nyash_portable

#include "textflag.h"

// 16,384 entry points, four for each of 4,096 tables. An entry point loads its
// own number into R2, the third integer argument, which none of
// log(level, msg), wake(handle), alloc(size) and free(ptr) uses, and jumps on:
// the callback then sees a C function of three arguments. R0, R1, the link
// register and the stack are as the plugin left them. The number fits the
// 16 bits of one MOVZ, so every entry point is two instructions long.

#define ENTRY(n) MOVD $(n), R2; JMP jump<>(SB)
#define ENTRY4(n) ENTRY(n); ENTRY(n+1); ENTRY(n+2); ENTRY(n+3)
#define ENTRY16(n) ENTRY4(n); ENTRY4(n+4); ENTRY4(n+8); ENTRY4(n+12)
#define ENTRY64(n) ENTRY16(n); ENTRY16(n+16); ENTRY16(n+32); ENTRY16(n+48)
#define ENTRY256(n) ENTRY64(n); ENTRY64(n+64); ENTRY64(n+128); ENTRY64(n+192)
#define ENTRY1024(n) ENTRY256(n); ENTRY256(n+256); ENTRY256(n+512); ENTRY256(n+768)
#define ENTRY4096(n) ENTRY1024(n); ENTRY1024(n+1024); ENTRY1024(n+2048); ENTRY1024(n+3072)

TEXT entries<>(SB), NOSPLIT|NOFRAME, $0-0
	ENTRY4096(0)
	ENTRY4096(4096)
	ENTRY4096(8192)
	ENTRY4096(12288)

// The address goes through R16, the scratch register of the procedure call
// standard: loading ·callback directly would use R27, which a C caller expects
// to find unchanged.
TEXT jump<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD $·callback(SB), R16
	MOVD (R16), R16
	JMP (R16)

DATA ·entryBase(SB)/8, $entries<>(SB)
GLOBL ·entryBase(SB), NOPTR|RODATA, $8
DATA ·entrySize(SB)/8, $8
GLOBL ·entrySize(SB), NOPTR|RODATA, $8
