#include "textflag.h"

// void stopC(int signal, siginfo_t *, ucontext_t *): a signal handler. It says on the standard
// error which signal came, where and for which address, stops the process, and gives the
// signal its own effect once the process is continued. RSP stays as it is, so that debuggers find
// the handler's caller without its symbols; what lies below is nobody's, as all signals are blocked.
TEXT stopC<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD R0, R19
	MOVD RSP, R20
	SUB $256, R20, R20
	MOVD $0x3a746c756166796e, R3 // "nyfault:"
	MOVD R3, (R20)
	ADD $8, R20, R4
	MOVD 440(R2), R5 // uc_mcontext.pc
	MOVD 16(R1), R6 // si_addr
	MOVD $3, R10
	MOVD R19, R7
value:
	MOVD $16, R8
digit:
	ROR $60, R7, R7
	AND $15, R7, R9
	ADD $48, R9, R9
	CMP $57, R9
	BLE write
	ADD $39, R9, R9
write:
	MOVB R9, (R4)
	ADD $1, R4, R4
	SUB $1, R8, R8
	CBNZ R8, digit
	MOVD $32, R9
	MOVB R9, (R4)
	ADD $1, R4, R4
	MOVD R5, R7
	MOVD R6, R5
	SUB $1, R10, R10
	CBNZ R10, value
	MOVD $10, R9
	MOVB R9, -1(R4)
	MOVD $2, R0
	MOVD R20, R1
	SUB R20, R4, R2
	MOVD $64, R8 // write
	SVC
	MOVD $172, R8 // getpid
	SVC
	MOVD R0, R21
	MOVD $178, R8 // gettid
	SVC
	MOVD R0, R22
	MOVD R21, R0
	MOVD R22, R1
	MOVD $19, R2 // SIGSTOP
	MOVD $131, R8 // tgkill
	SVC
	MOVD ZR, (R20)
	MOVD ZR, 8(R20)
	MOVD ZR, 16(R20)
	MOVD ZR, 24(R20)
	MOVD R19, R0
	MOVD R20, R1
	MOVD ZR, R2
	MOVD $8, R3
	MOVD $134, R8 // rt_sigaction
	SVC
	MOVD R21, R0
	MOVD R22, R1
	MOVD R19, R2
	MOVD $131, R8 // tgkill
	SVC
	RET // to where the signal is delivered

DATA ·stopper(SB)/8, $stopC<>(SB)
GLOBL ·stopper(SB), NOPTR|RODATA, $8
