#include "textflag.h"

// func Pause(rounds uint32)
TEXT ·Pause(SB), NOSPLIT, $0-4
	MOVL rounds+0(FP), AX
again:
	PAUSE
	SUBL $1, AX
	JNZ  again
	RET
