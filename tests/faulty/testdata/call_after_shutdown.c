// want: call-after-shutdown shutdown
// wasm: no module: it has no threads
#include <pthread.h>
#include <semaphore.h>

#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT

static sem_t over;

/* Goes on until it is refused. */
static void *asks(void *unused) {
    uint32_t type_id, method_id;
    (void)unused;
    calls->resolve("TimeBox", "now", &type_id, &method_id);
    sem_wait(&over);
    while (calls->resolve("TimeBox", "now", &type_id, &method_id) == NYASH_OK) {
    }
    return NULL;
}

static void start(void) {
    pthread_t thread;
    sem_init(&over, 0, 0);
    if (pthread_create(&thread, NULL, asks, NULL) == 0) pthread_detach(thread);
}

#define ON_INIT start()
#define ON_SHUTDOWN sem_post(&over)
#include "counter.h"
