/* A thread of its own writes to address 0. */
// want: crash Counter.poke
// stack: write_nowhere
// wasm: no module: wasi has no threads
#define DO_POKE                                               \
    static void *write_nowhere(void *unused) {                \
        (void)unused;                                         \
        *nowhere = 1;                                         \
        return NULL;                                          \
    }                                                         \
    static int32_t poke(struct counter *c, struct reply r) {  \
        pthread_t thread;                                     \
        (void)c;                                              \
        pthread_create(&thread, NULL, write_nowhere, NULL);   \
        pthread_join(thread, NULL);                           \
        return nothing(r);                                    \
    }
#include "counter.h"
