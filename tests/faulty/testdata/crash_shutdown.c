/* Shutdown crashes. */
// want: crash shutdown
// stack: nyash_plugin_shutdown
// wasm: nothing: low addresses can be written to
#define ON_SHUTDOWN *nowhere = 1
#include "counter.h"
