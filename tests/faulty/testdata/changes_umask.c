/* It changes the umask. */
// want: umask
// wasm: no module: wasi has no umask
#define ON_POKE umask(0)
#include "counter.h"
