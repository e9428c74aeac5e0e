/* The number of calls is counted without a lock, in the middle of a long instance. */
// want: race Store.rank
// wasm: nothing: a module serves one call at a time
#define DO_RANK                                         \
    static int64_t rank(int64_t n) {                    \
        static int64_t hits;                            \
        return (hits += n & 7);                         \
    }
#include "store.h"
