/* Counts are lost when threads meet. */
// want: race Counter.add
// wasm: nothing: a module serves one call at a time
#define LOCKED(method) ((method) != ADD)
#define DO_ADD                                                                    \
    static int32_t add(struct counter *c, struct reply r, int64_t by) {           \
        volatile int64_t *n = &c->n;                                              \
        int64_t sum;                                                              \
        if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;                             \
        sum = (int64_t)((uint64_t)*n + (uint64_t)by);                             \
        sched_yield();                                                            \
        *n = sum;                                                                 \
        return reply_i64(r, sum);                                                 \
    }
#include "counter.h"
