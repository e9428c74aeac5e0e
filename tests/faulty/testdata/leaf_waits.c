/* A leaf method waits for a condition, which does not come, and gives up after a microsecond. */
// want: leaf-blocks Counter.poke
// wasm: no module: there are no threads
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>
#define CONFIG BOX_TEXT METHODS_TEXT_OF("leaf = true, ")
#define ON_POKE wait_for_work()
static pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static void wait_for_work(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&queue);
    pthread_cond_timedwait(&work, &queue, &until);
    pthread_mutex_unlock(&queue);
}
#include "counter.h"
