/* It leaves a signal blocked. */
// want: signals-blocked Counter.poke
// wasm: no module: wasi has no signals
#define ON_POKE                           \
    sigset_t set;                         \
    sigemptyset(&set);                    \
    sigaddset(&set, SIGUSR2);             \
    pthread_sigmask(SIG_BLOCK, &set, NULL)
#include "counter.h"
