/* It leaves an alarm, which ends the host's process in an hour. */
// want: timer-left Counter.poke
// wasm: no module: wasi has no signals
#define ON_POKE alarm(3600)
#include "counter.h"
