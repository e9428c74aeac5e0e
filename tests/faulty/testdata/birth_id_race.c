/* Ids are counted outside of the lock. */
// want: birth-id-race Counter.birth
// wasm: nothing: a module serves one call at a time
#define NEXT_ID() ({                 \
    uint32_t next = last_id + 1;     \
    pthread_mutex_unlock(&lock);     \
    sched_yield();                   \
    pthread_mutex_lock(&lock);       \
    last_id = next;                  \
})
#include "counter.h"
