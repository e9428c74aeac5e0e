/* One of two allocations is not looked at. */
// want: failure-crash Counter.poke
// wasm: nothing: nothing fails around a module
// stack: poke
#define DO_POKE                                                   \
    static int32_t poke(struct counter *c, struct reply r) {      \
        volatile uint8_t *first = malloc(8), *second;              \
        (void)c;                                                  \
        if (first == NULL) return NYASH_E_OUT_OF_MEMORY;          \
        second = malloc(16);                                      \
        second[0] = first[0] = 1;                                 \
        free((void *)first);                                      \
        free((void *)second);                                     \
        return nothing(r);                                        \
    }
#include "counter.h"
