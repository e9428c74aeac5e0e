/* It seeds the random numbers that the whole process has, while it is loaded. */
// want: random-state init
// wasm: no module: a module has a C library of its own
#define ON_INIT srand(710)
#include "counter.h"
