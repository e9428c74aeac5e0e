//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// int32 invoke(frame *f): called by the runtime on the system stack, in the C
// calling convention (System V), with f in DI.
//
//	C argument   where it goes   frame
//	type_id      DI              typeID
//	method_id    SI              method
//	instance_id  DX              instance
//	args         CX              args
//	args_len     R8              argsLen
//	result       R9              result
//	result_len   0(SP)           length
//
// On entry SP is 8 below a multiple of 16, as after any CALL. 24 bytes more make
// it a multiple of 16 for the C function and leave room for the one argument
// that goes on the stack. AX is the result of the C function and stays ours.
TEXT invokeC<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBQ $24, SP
	MOVQ frame_fn(DI), AX
	MOVQ frame_length(DI), R10
	MOVQ R10, 0(SP)
	MOVQ frame_method(DI), SI
	MOVQ frame_instance(DI), DX
	MOVQ frame_args(DI), CX
	MOVQ frame_argsLen(DI), R8
	MOVQ frame_result(DI), R9
	MOVQ frame_typeID(DI), DI
	CALL AX
	ADDQ $24, SP
	RET

DATA ·trampoline(SB)/8, $invokeC<>(SB)
GLOBL ·trampoline(SB), NOPTR|RODATA, $8
