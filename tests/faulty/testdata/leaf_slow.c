/* A leaf method computes for a quarter of a millisecond. */
// want: leaf-slow Counter.poke
// wasm: no module: there is no processor time of a thread
#define _GNU_SOURCE
#include <time.h>
#define CONFIG BOX_TEXT METHODS_TEXT_OF("leaf = true, ")
#define ON_POKE compute()
static void compute(void) {
    struct timespec begin, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while ((now.tv_sec - begin.tv_sec) * 1000000000L + now.tv_nsec - begin.tv_nsec < 250000);
}
#include "counter.h"
