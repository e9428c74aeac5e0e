/* Where there is no memory for new data, the instance has ended. */
// want: failure-unusable Counter.poke
// wasm: nothing: nothing fails around a module
#define DO_POKE                                                   \
    static int32_t poke(struct counter *c, struct reply r) {      \
        uint8_t *data = malloc(8);                                \
        if (data == NULL) c->size = SIZE_MAX;                     \
        if (c->size == SIZE_MAX) return NYASH_E_OUT_OF_MEMORY;     \
        free(data);                                               \
        return nothing(r);                                        \
    }
#include "counter.h"
