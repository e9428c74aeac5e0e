/* Threads for plugins of tests where there are none: a wasm32 module serves one call at a time.
 * A thread runs to its end where it is created, a lock is never contended, and a wait for a
 * condition, which nobody can meet, wakes without cause now and then. */
#ifndef NYASH_TESTS_PTHREAD_H
#define NYASH_TESTS_PTHREAD_H

#include <stddef.h>
#include <time.h>

int nanosleep(const struct timespec *, struct timespec *);

typedef int pthread_t;
typedef int pthread_mutex_t;
typedef int pthread_cond_t;
#define PTHREAD_MUTEX_INITIALIZER 0
#define PTHREAD_COND_INITIALIZER 0

static inline int pthread_create(pthread_t *id, const void *attributes, void *(*run)(void *), void *with) {
    (void)attributes;
    *id = 2;
    run(with);
    return 0;
}
static inline int pthread_join(pthread_t id, void **result) { return (void)id, (void)result, 0; }
static inline int pthread_detach(pthread_t id) { return (void)id, 0; }
static inline pthread_t pthread_self(void) { return 1; }
static inline int pthread_equal(pthread_t a, pthread_t b) { return a == b; }
static inline void pthread_testcancel(void) {}
static inline int pthread_mutex_lock(pthread_mutex_t *m) { return (void)m, 0; }
static inline int pthread_mutex_unlock(pthread_mutex_t *m) { return (void)m, 0; }
static inline int pthread_cond_broadcast(pthread_cond_t *c) { return (void)c, 0; }
static inline int pthread_cond_signal(pthread_cond_t *c) { return (void)c, 0; }
static inline int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m) {
    struct timespec while_ = {0, 1000000};
    return (void)c, (void)m, nanosleep(&while_, NULL);
}

#endif
