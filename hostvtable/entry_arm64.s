//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// 24,576 entry points, six for each of 4,096 tables. An entry point loads its own number
// into R9, a scratch register that no argument is passed in, and jumps on. The arguments
// in R0 to R6, the link register and the stack are as the plugin left them. The number fits
// the 16 bits of one MOVZ, so every entry point is two instructions long.

#define ENTRY(n, to) MOVD $(n), R9; JMP to<>(SB)
#define TABLE(n) ENTRY(n, log); ENTRY(n+1, wake); ENTRY(n+2, heap); ENTRY(n+3, heap); ENTRY(n+4, resolve); ENTRY(n+5, invoke)
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

// ONLEAF jumps where the stack is a leaf stack (leaf.go). R10, R11 and R12 are scratch
// registers; for R27 see enter.
#define ONLEAF(to) \
	MOVD $·leafLow(SB), R10; \
	MOVD (R10), R10; \
	MOVD RSP, R11; \
	SUB R10, R11; \
	MOVD $·leafSize(SB), R10; \
	MOVD (R10), R10; \
	CMP R10, R11; \
	BLO to

// PAGE is the page of the leaf stack that this is.
#define PAGE(r) MOVD RSP, r; ORR $(const_LeafStride-1), r, r; SUB $(const_LeafPageSize-1), r, r

// ADDTO adds n to a field of 32 bits of the page in R11.
#define ADDTO(n, field) MOVWU field(R11), R12; ADD n, R12; MOVW R12, field(R11)

// NOTE makes room for a note, or jumps; R9 is its number. R11 is the page afterwards, R13 the
// note, R14 the bytes of room behind that.
#define NOTE(none) \
	PAGE(R11); \
	MOVWU LeafPage_used(R11), R12; \
	MOVD $(const_leafNotes-leafNote__size), R14; \
	SUBS R12, R14; \
	BLT none; \
	ADD $LeafPage_notes, R11, R13; \
	ADD R12, R13; \
	MOVW R9, leafNote_number(R13)

TEXT log<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	NOTE(none)
	MOVWU R0, R0
	MOVD $const_maxLeafLine, R15
	CMP R15, R14
	CSEL LO, R14, R15, R15
	MOVD R30, R16
	CALL leafCopy<>(SB)
	MOVD R16, R30
	CMP R15, R2
	BHI unreadable
	CBZ R3, whole
	MOVD $const_maxLeafLine, R12
	CMP R12, R15
	BNE none // its room is what others before it have left
	ORR $(1<<32), R0, R0 // leafCut
whole:
	MOVW R2, leafNote_length(R13)
	MOVD R0, leafNote_value(R13)
	ADD $(leafNote__size+7), R2, R2
	AND $~7, R2, R2
	ADDTO(R2, LeafPage_used)
	RET
unreadable:
	MOVD $const_leafUnreadable, R12
	MOVW R12, leafNote_length(R13)
	MOVD R0, leafNote_value(R13)
	ADDTO($leafNote__size, LeafPage_used)
	RET
none:
	ADDTO($1, LeafPage_lost)
	RET

// leafCopy copies the C string at R1 behind the note at R13, up to R15 bytes, and returns its
// length in R2, more than R15 where it cannot be read; R3 is not 0 where there is more of it. The
// handler of a fault in it goes on at leafCopyFail.
TEXT leafCopy<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD ZR, R2
	ADD $leafNote__size, R13, R14
	CMP $4096, R1
	BLO failed
next:
	MOVBU (R1)(R2), R3
	CBZ R3, done
	CMP R15, R2
	BEQ done
	MOVB R3, (R14)(R2)
	ADD $1, R2
	JMP next
failed:
	MOVD $-1, R2
done:
	RET

TEXT leafCopyFail<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD $-1, R2
	RET

DATA ·leafCopyStart(SB)/8, $leafCopy<>(SB)
GLOBL ·leafCopyStart(SB), NOPTR|RODATA, $8
DATA ·leafCopyFailed(SB)/8, $leafCopyFail<>(SB)
GLOBL ·leafCopyFailed(SB), NOPTR|RODATA, $8

TEXT wake<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	NOTE(none)
	MOVW ZR, leafNote_length(R13)
	MOVD R0, leafNote_value(R13)
	ADDTO($leafNote__size, LeafPage_used)
	RET
none:
	ADDTO($1, LeafPage_lost)
	RET

// heap is alloc and free where they count blocks. Leaf methods of such libraries are called as
// others are, so that who comes here on a leaf stack has another library's table: it is given
// nothing.
TEXT heap<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	PAGE(R11)
	ADDTO($1, LeafPage_asked)
	MOVD ZR, R0
	RET

TEXT resolve<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	PAGE(R11)
	ADDTO($1, LeafPage_asked)
	MOVW $-5, R0
	RET

// invoke: R5 is result, R6 result_len.
TEXT invoke<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	PAGE(R11)
	ADDTO($1, LeafPage_asked)
	MOVW $-5, R0
	CMP $4096, R6
	BLO done
	MOVD (R6), R2
	MOVD ZR, (R6)
	CMP $4096, R5
	BLO done
	MOVD $·leafRefusalLength(SB), R3
	MOVD (R3), R3
	CMP R3, R2
	BLO done
	MOVD R3, (R6)
	MOVD $·leafRefusal(SB), R4
	ADD R4, R3
next:
	CMP R4, R3
	BEQ done
	MOVBU.P 1(R4), R2
	MOVB.P R2, 1(R5)
	JMP next
done:
	RET

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
