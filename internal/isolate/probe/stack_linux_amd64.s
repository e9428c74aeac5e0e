#include "textflag.h"
#include "go_asm.h"

// int32 paintC(brush *b): called by the runtime on the system stack, in the C calling
// convention, with b in DI. What lies below SP is nobody's.
TEXT paintC<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ SP, AX
	MOVQ AX, brush_at(DI)
	MOVQ brush_words(DI), CX
	MOVQ brush_pattern(DI), DX
	SUBQ $const_stackMargin, AX
again:
	TESTQ CX, CX
	JZ done
	SUBQ $8, AX
	MOVQ DX, (AX)
	SUBQ $1, CX
	JMP again
done:
	XORL AX, AX
	RET

DATA ·painter(SB)/8, $paintC<>(SB)
GLOBL ·painter(SB), NOPTR|RODATA, $8
