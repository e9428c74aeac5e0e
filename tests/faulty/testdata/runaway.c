/* A method takes memory without end. */
// want: runaway-memory Counter.poke
// timeout: 30s
// wasm: hang Counter.poke: malloc answers NULL at the limit, and it goes on
#define ON_POKE                                    \
    for (;;) {                                     \
        char *block = malloc(8 << 20);             \
        if (block == NULL) continue;               \
        memset(block, 1, 8 << 20);                 \
    }
#include "counter.h"
