//go:build !nyash_portable && (darwin || freebsd || linux || netbsd)

#include "textflag.h"
#include "go_asm.h"

// int32 invokeC(crossing *c): called by the runtime on the system stack, in the C
// calling convention (AAPCS64), with c in R0.
//
//	C argument   where it goes   field of call
//	type_id      R0              TypeID
//	method_id    R1              Method
//	instance_id  R2              Instance
//	args         R3              Args
//	args_len     R4              ArgsLength
//	result       R5              Result
//	result_len   R6              the address of ResultLength
//
// The link register is saved with the frame pointer, as C code does, in 16 bytes
// that keep SP aligned. R0 is the result of the C function and stays ours. R9
// and R10 are scratch registers.
TEXT invokeC<>(SB), NOSPLIT|NOFRAME, $0-0
	STP.W (R29, R30), -16(RSP)
	MOVD RSP, R29
	MOVD crossing_fn(R0), R9
	MOVD crossing_call(R0), R10
	MOVWU call_TypeID(R10), R0
	MOVWU call_Method(R10), R1
	MOVWU call_Instance(R10), R2
	MOVD call_Args(R10), R3
	MOVD call_ArgsLength(R10), R4
	MOVD call_Result(R10), R5
	ADD $call_ResultLength, R10, R6
	CALL (R9)
	LDP.P 16(RSP), (R29, R30)
	RET

// int32 invokeTableC(crossing *c): likewise, for invoke_id of a TypeBox table, which has
// no type_id.
TEXT invokeTableC<>(SB), NOSPLIT|NOFRAME, $0-0
	STP.W (R29, R30), -16(RSP)
	MOVD RSP, R29
	MOVD crossing_fn(R0), R9
	MOVD crossing_call(R0), R10
	MOVWU call_Instance(R10), R0
	MOVWU call_Method(R10), R1
	MOVD call_Args(R10), R2
	MOVD call_ArgsLength(R10), R3
	MOVD call_Result(R10), R4
	ADD $call_ResultLength, R10, R5
	CALL (R9)
	LDP.P 16(RSP), (R29, R30)
	RET

// int32 invokeBatchC(crossing *c): likewise, for nyash_plugin_invoke_batch(calls,
// count). The count of calls that it made fits 32 bits, because count does.
TEXT invokeBatchC<>(SB), NOSPLIT|NOFRAME, $0-0
	STP.W (R29, R30), -16(RSP)
	MOVD RSP, R29
	MOVD crossing_fn(R0), R9
	MOVD crossing_count(R0), R1
	MOVD crossing_call(R0), R0
	CALL (R9)
	LDP.P 16(RSP), (R29, R30)
	RET

DATA ·trampoline(SB)/8, $invokeC<>(SB)
GLOBL ·trampoline(SB), NOPTR|RODATA, $8

DATA ·tableTrampoline(SB)/8, $invokeTableC<>(SB)
GLOBL ·tableTrampoline(SB), NOPTR|RODATA, $8

DATA ·batchTrampoline(SB)/8, $invokeBatchC<>(SB)
GLOBL ·batchTrampoline(SB), NOPTR|RODATA, $8
