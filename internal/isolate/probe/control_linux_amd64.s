#include "textflag.h"

// func readControl() (first, second uint32): MXCSR and the control word of the x87.
TEXT ·readControl(SB), NOSPLIT, $0-8
	MOVL $0, second+4(FP)
	STMXCSR first+0(FP)
	FSTCW second+4(FP)
	RET

// func writeControl(first, second uint32)
TEXT ·writeControl(SB), NOSPLIT, $0-8
	FCLEX // an exception that waits would be raised by the next instruction
	LDMXCSR first+0(FP)
	FLDCW second+4(FP)
	RET
