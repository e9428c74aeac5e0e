/* It sets a variable of the process's environment. */
// want: environment Counter.poke
// wasm: no module: a module has a C library of its own
#define ON_POKE setenv("COUNTER_POKED", "1", 1)
#include "counter.h"
