#include "textflag.h"

// func readControl() (first, second uint32): FPCR, and nothing.
TEXT ·readControl(SB), NOSPLIT, $0-8
	MRS FPCR, R0
	MOVW R0, first+0(FP)
	MOVW ZR, second+4(FP)
	RET

// func writeControl(first, second uint32)
TEXT ·writeControl(SB), NOSPLIT, $0-8
	MOVWU first+0(FP), R0
	MSR R0, FPCR
	RET
