/* A plugin without a fault that makes its table once, counts calls with an atomic of the
 * compiler's, refuses what would wait, and locks with <threads.h>. */
#define _GNU_SOURCE
#include <pthread.h>
#include <threads.h>
static mtx_t store_lock;
#define LOCK(s) ((void)(s), mtx_lock(&store_lock))
#define UNLOCK(s) ((void)(s), mtx_unlock(&store_lock))
#define ON_INIT mtx_init(&store_lock, mtx_plain)
#define DO_MERGE                                                                                       \
    static void merge(struct store *to, struct store *from) {                                          \
        if (to == from) return;                                                                        \
        LOCK(to);                                                                                      \
        for (struct entry *e = from->entries; e != NULL; e = e->next) put_entry(to, e->key, e->value); \
        UNLOCK(to);                                                                                    \
    }
#define DO_RANK                                                                                        \
    static uint8_t ranks[256];                                                                         \
    static pthread_once_t once = PTHREAD_ONCE_INIT;                                                    \
    static int64_t hits;                                                                               \
    static void make_ranks(void) {                                                                     \
        for (int i = 1; i < 256; i++) ranks[i] = (uint8_t)(ranks[i / 2] + i % 2);                      \
    }                                                                                                  \
    static int64_t rank(int64_t n) {                                                                   \
        pthread_once(&once, make_ranks);                                                               \
        __atomic_fetch_add(&hits, 1, __ATOMIC_RELAXED);                                                \
        return ranks[n & 255];                                                                         \
    }
#define DO_LABEL                                                                                       \
    static _Thread_local uint8_t scratch[65536];                                                       \
    static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;                                           \
    static int32_t label(struct store *s, struct reply r, struct text t) {                             \
        int32_t code;                                                                                  \
        (void)s;                                                                                       \
        if (t.size + 2 > NYASH_TLV_MAX_PAYLOAD) return NYASH_E_INVALID_ARGS;                           \
        if (pthread_mutex_trylock(&busy) != 0) return NYASH_E_PLUGIN;                                  \
        scratch[0] = '<';                                                                              \
        memcpy(scratch + 1, t.data, t.size);                                                           \
        scratch[t.size + 1] = '>';                                                                     \
        code = reply(r, NYASH_TAG_BYTES, scratch, t.size + 2);                                         \
        pthread_mutex_unlock(&busy);                                                                   \
        return code;                                                                                   \
    }
#include "../store.h"
