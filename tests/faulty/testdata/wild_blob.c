/* A blob is not from the host's alloc. */
// want: blob-invalid Counter.poke
// wasm: crash Counter.set: the address is in its memory, and free destroys the heap
#define DO_POKE                                                                \
    static int32_t poke(struct counter *c, struct reply r) {                   \
        uint64_t blob[2] = {(uint64_t)(uintptr_t)c, sizeof *c};                \
        return reply(r, NYASH_TAG_BLOB, blob, sizeof blob);                    \
    }
#include "counter.h"
