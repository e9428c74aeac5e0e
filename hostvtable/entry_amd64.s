//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// 24,576 entry points, six for each of 4,096 tables. An entry point loads its own number
// into AX, which no C function of a fixed number of arguments is given anything in, and
// jumps on. The stack and the registers of the six integer arguments are as the plugin
// left them; the seventh argument, which only invoke has, is on the stack, above the
// return address.

#define ENTRY(n, to) MOVL $(n), AX; JMP to<>(SB)
#define TABLE(n) ENTRY(n, log); ENTRY(n+1, wake); ENTRY(n+2, heap); ENTRY(n+3, heap); ENTRY(n+4, resolve); ENTRY(n+5, seventh)
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

// ONLEAF jumps where the stack is a leaf stack (leaf.go). R11 is a scratch register.
#define ONLEAF(to) MOVQ SP, R11; SUBQ ·leafLow(SB), R11; CMPQ R11, ·leafSize(SB); JCS to

// PAGE is the page of the leaf stack that this is.
#define PAGE(r) MOVQ SP, r; ORQ $(const_LeafStride-1), r; SUBQ $(const_LeafPageSize-1), r

// NOTE makes room for a note of size bytes, or jumps; AX is its number. R8 is the page
// afterwards, R9 the note, R10 the bytes of room behind that.
#define NOTE(none) \
	PAGE(R8); \
	MOVL LeafPage_used(R8), R9; \
	MOVL $const_leafNotes, R10; \
	SUBL R9, R10; \
	JCS none; \
	SUBL $leafNote__size, R10; \
	JCS none; \
	LEAQ LeafPage_notes(R8)(R9*1), R9; \
	MOVL AX, leafNote_number(R9)

TEXT log<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	NOTE(none)
	MOVL DI, DI
	MOVQ $const_maxLeafLine, R11
	CMPQ R10, R11
	CMOVQCS R10, R11
	SUBQ $8, SP
	CALL leafCopy<>(SB)
	ADDQ $8, SP
	CMPQ CX, R11
	JHI unreadable
	TESTL DX, DX
	JEQ whole
	CMPQ R11, $const_maxLeafLine
	JNE none // its room is what others before it have left
	BTSQ $32, DI // leafCut
whole:
	MOVL CX, leafNote_length(R9)
	MOVQ DI, leafNote_value(R9)
	ADDL $(leafNote__size+7), CX
	ANDL $~7, CX
	ADDL CX, LeafPage_used(R8)
	RET
unreadable:
	MOVL $const_leafUnreadable, leafNote_length(R9)
	MOVQ DI, leafNote_value(R9)
	ADDL $leafNote__size, LeafPage_used(R8)
	RET
none:
	INCL LeafPage_lost(R8)
	RET

// leafCopy copies the C string at SI behind the note at R9, up to R11 bytes, and returns its
// length in CX, more than R11 where it cannot be read; DX is not 0 where there is more of it. The
// handler of a fault in it goes on at leafCopyFail.
TEXT leafCopy<>(SB), NOSPLIT|NOFRAME, $0-0
	XORL CX, CX
	CMPQ SI, $4096
	JCS failed
next:
	MOVBLZX (SI)(CX*1), DX
	TESTL DX, DX
	JEQ done
	CMPQ CX, R11
	JEQ done
	MOVB DX, leafNote__size(R9)(CX*1)
	INCQ CX
	JMP next
failed:
	MOVQ $-1, CX
done:
	RET

TEXT leafCopyFail<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ $-1, CX
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
	MOVL $0, leafNote_length(R9)
	MOVQ DI, leafNote_value(R9)
	ADDL $leafNote__size, LeafPage_used(R8)
	RET
none:
	INCL LeafPage_lost(R8)
	RET

// heap is alloc and free where they count blocks. Leaf methods of such libraries are called as
// others are, so that who comes here on a leaf stack has another library's table: it is given
// nothing.
TEXT heap<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	PAGE(R8)
	INCL LeafPage_asked(R8)
	XORL AX, AX
	RET

TEXT resolve<>(SB), NOSPLIT|NOFRAME, $0-0
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	PAGE(R8)
	INCL LeafPage_asked(R8)
	MOVL $-5, AX
	RET

// seventh is invoke, which has seven arguments: R9 is result, and result_len is on the stack.
TEXT seventh<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ 8(SP), R10
	ONLEAF(leaf)
	JMP enter<>(SB)
leaf:
	PAGE(R8)
	INCL LeafPage_asked(R8)
	MOVL $-5, AX
	CMPQ R10, $4096
	JCS done
	MOVQ (R10), CX
	MOVQ $0, (R10)
	CMPQ R9, $4096
	JCS done
	CMPQ CX, ·leafRefusalLength(SB)
	JCS done
	MOVQ ·leafRefusalLength(SB), CX
	MOVQ CX, (R10)
	MOVQ R9, DI
	LEAQ ·leafRefusal(SB), SI
	REP; MOVSB
done:
	RET

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
