/* A block is given back twice. */
// want: bad-free
// wasm: nothing: host->free is the module's own free
#define ON_INIT               \
    nowhere = host->alloc(32); \
    host->free(nowhere);       \
    host->free(nowhere);       \
    nowhere = NULL
#include "counter.h"
