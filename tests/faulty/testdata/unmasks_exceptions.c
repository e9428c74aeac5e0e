/* A division by zero ends the process from then on. */
// want: float-control Counter.poke
// flags: -Wl,--no-as-needed -lm
// wasm: no module: WebAssembly has no such exceptions
#define _GNU_SOURCE
#include <fenv.h>
#define ON_POKE feenableexcept(FE_DIVBYZERO)
#include "counter.h"
