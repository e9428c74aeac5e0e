/* Init crashes. */
// want: crash init
// stack: nyash_plugin_init
// wasm: nothing: low addresses can be written to
#define ON_INIT *nowhere = 1
#include "counter.h"
