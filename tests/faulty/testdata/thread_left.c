/* A thread outlives shutdown. */
// want: thread-left shutdown
// wasm: no module: it has no threads
#include <pthread.h>
#include <unistd.h>
static void *sleeper(void *p) {
    for (;;) sleep(1000);
    return p;
}
#define ON_INIT                                  \
    pthread_t thread;                            \
    pthread_create(&thread, NULL, sleeper, NULL); \
    pthread_detach(thread)
#include "counter.h"
