/* It draws from the random numbers that the whole process has. */
// want: random-state Counter.poke
// wasm: no module: a module has a C library of its own
#define ON_POKE (void)rand()
#include "counter.h"
