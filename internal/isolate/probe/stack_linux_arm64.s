#include "textflag.h"
#include "go_asm.h"

// int32 paintC(brush *b): called by the runtime on the system stack, in the C calling
// convention, with b in R0. What lies below RSP is nobody's.
TEXT paintC<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD RSP, R1
	MOVD R1, brush_at(R0)
	MOVD brush_words(R0), R2
	MOVD brush_pattern(R0), R3
	SUB $const_stackMargin, R1, R1
again:
	CBZ R2, done
	MOVD.W R3, -8(R1)
	SUB $1, R2, R2
	B again
done:
	MOVD ZR, R0
	RET

DATA ·painter(SB)/8, $paintC<>(SB)
GLOBL ·painter(SB), NOPTR|RODATA, $8
