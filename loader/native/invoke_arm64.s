//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// int32 invoke(frame *f): called by the runtime on the system stack, in the C
// calling convention (AAPCS64), with f in R0.
//
//	C argument   where it goes   frame
//	type_id      R0              typeID
//	method_id    R1              method
//	instance_id  R2              instance
//	args         R3              args
//	args_len     R4              argsLen
//	result       R5              result
//	result_len   R6              length
//
// The link register is saved with the frame pointer, as C code does, in 16 bytes
// that keep SP aligned. R0 is the result of the C function and stays ours. R9 is
// a scratch register.
TEXT invokeC<>(SB), NOSPLIT|NOFRAME, $0-0
	STP.W (R29, R30), -16(RSP)
	MOVD RSP, R29
	MOVD frame_fn(R0), R9
	MOVD frame_method(R0), R1
	MOVD frame_instance(R0), R2
	MOVD frame_args(R0), R3
	MOVD frame_argsLen(R0), R4
	MOVD frame_result(R0), R5
	MOVD frame_length(R0), R6
	MOVD frame_typeID(R0), R0
	CALL (R9)
	LDP.P 16(RSP), (R29, R30)
	RET

DATA ·trampoline(SB)/8, $invokeC<>(SB)
GLOBL ·trampoline(SB), NOPTR|RODATA, $8
