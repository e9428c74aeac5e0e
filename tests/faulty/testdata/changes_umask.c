/* It changes the umask. */
// want: umask Counter.poke
// wasm: no module: wasi has no umask
#define ON_POKE umask(0)
#include "counter.h"
