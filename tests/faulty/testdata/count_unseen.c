/* Calls are counted without a lock, and nobody sees the number. */
// want: possible-race Store.rank
// wasm: nothing: a module serves one call at a time
#define DO_RANK                                             \
    static volatile int64_t hits;                           \
    static int64_t rank(int64_t n) {                        \
        hits++;                                             \
        return __builtin_popcountll((uint64_t)n & 255);     \
    }
#include "store.h"
