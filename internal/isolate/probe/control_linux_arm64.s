#include "textflag.h"

// func readControl() (first uint32, second uint16): FPCR, and nothing.
TEXT ·readControl(SB), NOSPLIT, $0-6
	MRS FPCR, R0
	MOVW R0, first+0(FP)
	MOVH ZR, second+4(FP)
	RET

// func writeControl(first uint32, second uint16)
TEXT ·writeControl(SB), NOSPLIT, $0-6
	MOVWU first+0(FP), R0
	MSR R0, FPCR
	RET
