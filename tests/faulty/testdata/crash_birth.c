/* Birth crashes. */
// want: crash Counter.birth
// wasm: nothing: low addresses can be written to
#define ON_BIRTH *nowhere = 1
#include "counter.h"
