/* Its shutdown forgets the instances that are alive. */
// want: shutdown-leak Counter.shutdown
// wasm: no module: a module's memory goes with it
#define ON_SHUTDOWN                \
    free(counters);                \
    counters = NULL;               \
    last_id = capacity = 0;        \
    return
#include "counter.h"
