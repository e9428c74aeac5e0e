//go:build !nyash_portable

#include "textflag.h"

// 16,384 entry points, four for each of 4,096 tables. An entry point loads its
// own number into R8, the register of the third integer argument, which none of
// log(level, msg), wake(handle), alloc(size) and free(ptr) uses, and jumps on:
// the callback then sees a C function of three arguments. The return address,
// the stack and the first two arguments, in CX and DX, are as the plugin left them.

#define ENTRY(n) MOVL $(n), R8; JMP jump<>(SB)
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

TEXT jump<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ ·callback(SB), AX
	JMP AX

DATA ·entryBase(SB)/8, $entries<>(SB)
GLOBL ·entryBase(SB), NOPTR|RODATA, $8
DATA ·entrySize(SB)/8, $11
GLOBL ·entrySize(SB), NOPTR|RODATA, $8
