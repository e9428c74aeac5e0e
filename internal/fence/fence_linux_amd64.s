//go:build !race

#include "textflag.h"

// func release(p *atomic.Uint64)
TEXT ·release(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	MOVQ $0, (AX)
	RET
