/* It reads past a block of its own. */
// want: invalid-read Counter.set
// memcheck
// explore
// wasm: nothing: memory within the module is only known to its allocator
#define ON_SET if (copy[size + 1] == 77) return NYASH_E_PLUGIN
#include "counter.h"
