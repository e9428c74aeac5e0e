#include "textflag.h"

// void stopC(int signal, siginfo_t *, ucontext_t *): a signal handler. It says on the standard
// error which signal came, where and for which address, stops the process, and gives the
// signal its own effect once the process is continued. SP stays as it is, so that debuggers find
// the handler's caller without its symbols; what lies below is nobody's, as all signals are blocked.
TEXT stopC<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ DI, R12
	MOVQ 192(DX), AX // uc_mcontext.gregs[REG_ERR]
	SHLQ $32, AX
	ORQ DI, AX
	MOVQ AX, -32(SP)
	MOVQ 168(DX), AX // uc_mcontext.gregs[REG_RIP]
	MOVQ AX, -24(SP)
	MOVQ 16(SI), AX // si_addr
	MOVQ AX, -16(SP)
	LEAQ -256(SP), R8
	MOVQ $0x3a746c756166796e, AX // "nyfault:"
	MOVQ AX, (R8)
	ADDQ $8, R8
	LEAQ -32(SP), R9
	MOVQ $3, R10
value:
	MOVQ (R9), AX
	MOVQ $16, CX
digit:
	ROLQ $4, AX
	MOVQ AX, DX
	ANDQ $15, DX
	ADDQ $48, DX
	CMPQ DX, $57
	JLE write
	ADDQ $39, DX
write:
	MOVB DX, (R8)
	ADDQ $1, R8
	SUBQ $1, CX
	JNZ digit
	MOVB $32, (R8)
	ADDQ $1, R8
	ADDQ $8, R9
	SUBQ $1, R10
	JNZ value
	MOVB $10, -1(R8)
	MOVL $2, DI
	LEAQ -256(SP), SI
	MOVQ R8, DX
	SUBQ SI, DX
	MOVL $1, AX // write
	SYSCALL
	MOVL $39, AX // getpid
	SYSCALL
	MOVQ AX, R13
	MOVL $186, AX // gettid
	SYSCALL
	MOVQ AX, R14
	MOVQ R13, DI
	MOVQ R14, SI
	MOVL $19, DX // SIGSTOP
	MOVL $234, AX // tgkill
	SYSCALL
	MOVQ $0, -64(SP)
	MOVQ $0, -56(SP)
	MOVQ $0, -48(SP)
	MOVQ $0, -40(SP)
	MOVQ R12, DI
	LEAQ -64(SP), SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $13, AX // rt_sigaction
	SYSCALL
	MOVQ R13, DI
	MOVQ R14, SI
	MOVQ R12, DX
	MOVL $234, AX // tgkill
	SYSCALL
	RET // to where the signal is delivered

DATA ·stopper(SB)/8, $stopC<>(SB)
GLOBL ·stopper(SB), NOPTR|RODATA, $8
