/* It changes the working directory. */
// want: working-directory Counter.poke
// wasm: nothing: it is the module's own
#define ON_POKE (void)!chdir("/")
#include "counter.h"
