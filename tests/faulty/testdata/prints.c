/* It prints to its standard output. */
// want: prints
// wasm: nothing: what a module prints is its log
#define ON_POKE puts("poked"), fflush(stdout)
#include "counter.h"
