//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// int32 invokeC(call *c): called by the runtime on the system stack, in the C
// calling convention (AAPCS64), with c in R0.
//
//	C argument   where it goes   invocation
//	type_id      R0              TypeID
//	method_id    R1              Method
//	instance_id  R2              Instance
//	args         R3              Args, the pointer
//	args_len     R4              Args, the length
//	result       R5              Result, the pointer
//	result_len   R6              the address of Length
//
// The link register is saved with the frame pointer, as C code does, in 16 bytes
// that keep SP aligned. R0 is the result of the C function and stays ours. R9
// and R10 are scratch registers.
TEXT invokeC<>(SB), NOSPLIT|NOFRAME, $0-0
	STP.W (R29, R30), -16(RSP)
	MOVD RSP, R29
	MOVD call_fn(R0), R9
	MOVD call_inv(R0), R10
	MOVWU invocation_TypeID(R10), R0
	MOVWU invocation_Method(R10), R1
	MOVWU invocation_Instance(R10), R2
	MOVD invocation_Args(R10), R3
	MOVD (invocation_Args+8)(R10), R4
	MOVD invocation_Result(R10), R5
	ADD $invocation_Length, R10, R6
	CALL (R9)
	LDP.P 16(RSP), (R29, R30)
	RET

DATA ·trampoline(SB)/8, $invokeC<>(SB)
GLOBL ·trampoline(SB), NOPTR|RODATA, $8
