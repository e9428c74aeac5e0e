/* Each call starts a process that nobody waits for. */
// want: process-left shutdown
// wasm: no module: it has no processes
#include <unistd.h>
#define ON_POKE \
    if (fork() == 0) _exit(0)
#include "counter.h"
