/* It reads a block that it has freed. */
// want: use-after-free
// may: use-after-free Counter.fini
// memcheck
// flags: -Wno-use-after-free
// wasm: nothing: memory within the module is only known to its allocator
static volatile long long sink;
#define FREE_COUNTER(c) (free((c)->data), free(c), (void)(sink = (c)->n))
#include "counter.h"
