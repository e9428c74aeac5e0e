/* It leaves another rounding mode. */
// want: float-control Counter.poke
// flags: -Wl,--no-as-needed -lm
// wasm: no module: WebAssembly rounds to nearest
#include <fenv.h>
#define ON_POKE fesetround(FE_UPWARD)
#include "counter.h"
