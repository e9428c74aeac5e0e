//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// int32 invokeC(crossing *c): called by the runtime on the system stack, in the C
// calling convention (System V), with c in DI.
//
//	C argument   where it goes   field of call
//	type_id      DI              TypeID
//	method_id    SI              Method
//	instance_id  DX              Instance
//	args         CX              Args
//	args_len     R8              ArgsLength
//	result       R9              Result
//	result_len   0(SP)           the address of ResultLength
//
// On entry SP is 8 below a multiple of 16, as after any CALL. 24 bytes more make
// it a multiple of 16 for the C function and leave room for the one argument
// that goes on the stack. AX is the result of the C function and stays ours.
TEXT invokeC<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBQ $24, SP
	MOVQ crossing_fn(DI), AX
	MOVQ crossing_call(DI), R10
	LEAQ call_ResultLength(R10), R11
	MOVQ R11, 0(SP)
	MOVL call_TypeID(R10), DI
	MOVL call_Method(R10), SI
	MOVL call_Instance(R10), DX
	MOVQ call_Args(R10), CX
	MOVQ call_ArgsLength(R10), R8
	MOVQ call_Result(R10), R9
	CALL AX
	ADDQ $24, SP
	RET

// int32 invokeTableC(crossing *c): likewise, for invoke_id of a TypeBox table, which has
// no type_id and so takes all its arguments in registers.
TEXT invokeTableC<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBQ $8, SP
	MOVQ crossing_fn(DI), AX
	MOVQ crossing_call(DI), R10
	MOVL call_Instance(R10), DI
	MOVL call_Method(R10), SI
	MOVQ call_Args(R10), DX
	MOVQ call_ArgsLength(R10), CX
	MOVQ call_Result(R10), R8
	LEAQ call_ResultLength(R10), R9
	CALL AX
	ADDQ $8, SP
	RET

// int32 invokeBatchC(crossing *c): likewise, for nyash_plugin_invoke_batch(calls,
// count). The count of calls that it made fits 32 bits, because count does.
TEXT invokeBatchC<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBQ $8, SP
	MOVQ crossing_fn(DI), AX
	MOVQ crossing_count(DI), SI
	MOVQ crossing_call(DI), DI
	CALL AX
	ADDQ $8, SP
	RET

DATA ·trampoline(SB)/8, $invokeC<>(SB)
GLOBL ·trampoline(SB), NOPTR|RODATA, $8

DATA ·tableTrampoline(SB)/8, $invokeTableC<>(SB)
GLOBL ·tableTrampoline(SB), NOPTR|RODATA, $8

DATA ·batchTrampoline(SB)/8, $invokeBatchC<>(SB)
GLOBL ·batchTrampoline(SB), NOPTR|RODATA, $8
