/* What was taken first is lost where there is no memory for the second. */
// want: failure-leak Counter.poke
// wasm: nothing: nothing fails around a module
#define DO_POKE                                                   \
    static int32_t poke(struct counter *c, struct reply r) {      \
        uint8_t *volatile first = malloc(40), *volatile second;   \
        (void)c;                                                  \
        if (first == NULL) return NYASH_E_OUT_OF_MEMORY;          \
        second = malloc(60);                                      \
        if (second == NULL) return NYASH_E_OUT_OF_MEMORY;         \
        free(second);                                             \
        free(first);                                              \
        return nothing(r);                                        \
    }
#include "counter.h"
