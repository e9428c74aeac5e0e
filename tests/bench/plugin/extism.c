/* The same work as a plugin of Extism's: the least that one can be, without a library, on the
 * functions that every kit for its plugins is made of. */
#include <stdint.h>

#define HOST(name) __attribute__((import_module("extism:host/env"), import_name(#name)))
HOST(input_length) extern uint64_t input_length(void);
HOST(input_load_u64) extern uint64_t input_load_u64(uint64_t at);
HOST(input_load_u8) extern uint8_t input_load_u8(uint64_t at);
HOST(alloc) extern uint64_t host_alloc(uint64_t size);
HOST(store_u64) extern void store_u64(uint64_t at, uint64_t value);
HOST(store_u8) extern void store_u8(uint64_t at, uint8_t value);
HOST(output_set) extern void output_set(uint64_t at, uint64_t size);

/* Two i64 to their sum. */
__attribute__((export_name("add"))) int32_t add(void) {
    uint64_t sum = input_load_u64(0) + input_load_u64(8), at = host_alloc(8);
    store_u64(at, sum);
    output_set(at, 8);
    return 0;
}

/* The input as output, in words as Extism's kits copy it. */
__attribute__((export_name("echo"))) int32_t echo(void) {
    uint64_t size = input_length(), at = host_alloc(size), i = 0;
    for (; i + 8 <= size; i += 8) store_u64(at + i, input_load_u64(i));
    for (; i < size; i++) store_u8(at + i, input_load_u8(i));
    output_set(at, size);
    return 0;
}
