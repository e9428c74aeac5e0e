#include "textflag.h"

// func readControl() (first uint32, second uint16): MXCSR and the control word of the x87.
TEXT ·readControl(SB), NOSPLIT, $0-6
	STMXCSR first+0(FP)
	FSTCW second+4(FP)
	RET

// func writeControl(first uint32, second uint16)
TEXT ·writeControl(SB), NOSPLIT, $0-6
	FCLEX // an exception that waits would be raised by the next instruction
	LDMXCSR first+0(FP)
	FLDCW second+4(FP)
	RET
