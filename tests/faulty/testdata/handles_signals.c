/* It installs a signal handler. */
// want: signal-handler init
// wasm: no module: wasi has no signals
#include <signal.h>
static void handler(int n) { (void)n; }
#define ON_INIT signal(SIGUSR1, handler)
#include "counter.h"
