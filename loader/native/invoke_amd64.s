//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// int32 invokeC(call *c): called by the runtime on the system stack, in the C
// calling convention (System V), with c in DI.
//
//	C argument   where it goes   invocation
//	type_id      DI              TypeID
//	method_id    SI              Method
//	instance_id  DX              Instance
//	args         CX              Args, the pointer
//	args_len     R8              Args, the length
//	result       R9              Result, the pointer
//	result_len   0(SP)           the address of Length
//
// On entry SP is 8 below a multiple of 16, as after any CALL. 24 bytes more make
// it a multiple of 16 for the C function and leave room for the one argument
// that goes on the stack. AX is the result of the C function and stays ours.
TEXT invokeC<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBQ $24, SP
	MOVQ call_fn(DI), AX
	MOVQ call_inv(DI), R10
	LEAQ invocation_Length(R10), R11
	MOVQ R11, 0(SP)
	MOVL invocation_TypeID(R10), DI
	MOVL invocation_Method(R10), SI
	MOVL invocation_Instance(R10), DX
	MOVQ invocation_Args(R10), CX
	MOVQ (invocation_Args+8)(R10), R8
	MOVQ invocation_Result(R10), R9
	CALL AX
	ADDQ $24, SP
	RET

DATA ·trampoline(SB)/8, $invokeC<>(SB)
GLOBL ·trampoline(SB), NOPTR|RODATA, $8
