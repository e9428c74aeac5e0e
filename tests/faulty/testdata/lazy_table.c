/* The first call makes a table, and says that it is there before it is. */
// want: race Store.rank
// wasm: nothing: a module serves one call at a time
#define DO_RANK                                                                                     \
    static int64_t rank(int64_t n) {                                                                \
        static volatile bool made;                                                                  \
        static volatile uint8_t ranks[256];                                                         \
        if (!made) {                                                                                \
            made = true;                                                                            \
            for (int i = 1; i < 256; i++) ranks[i] = (uint8_t)(ranks[i / 2] + i % 2);               \
        }                                                                                           \
        return ranks[n & 255];                                                                      \
    }
#include "store.h"
