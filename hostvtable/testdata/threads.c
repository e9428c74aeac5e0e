/* Calls the host table from threads of its own. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

enum { THREADS = 8 };

typedef struct Job {
    const NyashHostVtable *host;
    int thread;
    int rounds;
} Job;

static void *work(void *arg) {
    const Job *job = arg;
    for (int i = 0; i < job->rounds; i++) {
        char msg[64];
        snprintf(msg, sizeof msg, "thread %d round %d", job->thread, i);
        job->host->log(NYASH_LOG_WARN, msg);
        job->host->wake(((uint64_t)job->thread << 32) | (uint32_t)i);
        uint8_t *p = job->host->alloc((size_t)i + 1);
        if (p != NULL) memset(p, 0xa5, (size_t)i + 1);
        job->host->free(p);
    }
    return NULL;
}

/* Returns 0 when all threads have started and ended. */
NYASH_EXPORT int run_threads(const NyashHostVtable *host, int rounds) {
    pthread_t ids[THREADS];
    Job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (Job){host, i, rounds};
        if (pthread_create(&ids[i], NULL, work, &jobs[i]) != 0) return 1;
    }
    for (int i = 0; i < THREADS; i++)
        if (pthread_join(ids[i], NULL) != 0) return 2;
    return 0;
}

NYASH_EXPORT void say(const NyashHostVtable *host, int32_t level, const char *msg) {
    host->log(level, msg);
}

NYASH_EXPORT void say_not_utf8(const NyashHostVtable *host) { host->log(1, "caf\xe9"); }

NYASH_EXPORT void wake_with(const NyashHostVtable *host, uint64_t handle) {
    host->wake(handle);
}

NYASH_EXPORT uint8_t *call_alloc(const NyashHostVtable *host, size_t size) {
    return host->alloc(size);
}

NYASH_EXPORT void call_free(const NyashHostVtable *host, uint8_t *p) { host->free(p); }
