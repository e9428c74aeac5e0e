/* A plugin without a fault whose readers do not keep each other waiting, and whose list of
 * instances has another such lock. */
#define _GNU_SOURCE
#include <pthread.h>
static pthread_rwlock_t all_lock = PTHREAD_RWLOCK_INITIALIZER, entry_lock = PTHREAD_RWLOCK_INITIALIZER;
#define LOCK(s) ((void)(s), pthread_rwlock_wrlock(&entry_lock))
#define UNLOCK(s) ((void)(s), pthread_rwlock_unlock(&entry_lock))
#define LOCK_GET(s) ((void)(s), pthread_rwlock_rdlock(&entry_lock))
#define UNLOCK_GET(s) ((void)(s), pthread_rwlock_unlock(&entry_lock))
#define LOCK_ALL() pthread_rwlock_rdlock(&all_lock)
#define UNLOCK_ALL() pthread_rwlock_unlock(&all_lock)
#define LOCK_BIRTH() pthread_rwlock_wrlock(&all_lock)
#define UNLOCK_BIRTH() pthread_rwlock_unlock(&all_lock)
#define LOCK_FINI LOCK_BIRTH
#define UNLOCK_FINI UNLOCK_BIRTH
#define DO_MERGE                                                                                       \
    static void merge(struct store *to, struct store *from) {                                          \
        if (to == from) return;                                                                        \
        LOCK(to);                                                                                      \
        for (struct entry *e = from->entries; e != NULL; e = e->next) put_entry(to, e->key, e->value); \
        UNLOCK(to);                                                                                    \
    }
#include "../store.h"
