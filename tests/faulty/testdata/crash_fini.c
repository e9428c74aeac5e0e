/* Fini crashes. */
// want: crash Counter.fini
// wasm: nothing: low addresses can be written to
#define ON_FINI *nowhere = 1
#include "counter.h"
