/* It writes past a block of its own. */
// want: invalid-write Counter.set
// may: invalid-write
// memcheck
// wasm: nothing: memory within the module is only known to its allocator
#define ON_SET copy[size + 1] = 0
#include "counter.h"
