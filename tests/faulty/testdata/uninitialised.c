/* It returns bytes that it never wrote. */
// want: uninitialised
// memcheck
// flags: -Wno-maybe-uninitialized
// wasm: nothing: memory within the module is only known to its allocator
#define DO_POKE                                               \
    static int32_t poke(struct counter *c, struct reply r) {  \
        int64_t *n = malloc(sizeof *n);                       \
        int32_t code;                                         \
        (void)c;                                              \
        if (n == NULL) return NYASH_E_OUT_OF_MEMORY;          \
        code = reply(r, NYASH_TAG_BYTES, n, sizeof *n);       \
        free(n);                                              \
        return code;                                          \
    }
#include "counter.h"
