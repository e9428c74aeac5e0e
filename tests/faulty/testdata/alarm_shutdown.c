/* Its shutdown leaves an alarm, which ends the host's process. */
// want: timer-left shutdown
// wasm: no module: wasi has no signals
#define ON_SHUTDOWN alarm(3600)
#include "counter.h"
