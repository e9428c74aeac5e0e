/* It stops its process. */
// want: hang Counter.poke
// wasm: no module: there are no signals
#define ON_POKE raise(SIGSTOP)
#include "counter.h"
