/* A method writes through a null pointer. */
// want: crash Counter.poke
// stack: poke
// wasm: nothing: low addresses can be written to
#define ON_POKE *nowhere = 1
#include "counter.h"
