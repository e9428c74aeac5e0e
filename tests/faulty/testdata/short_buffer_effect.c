/* It counts before it knows whether the result fits. */
// want: short-buffer-side-effect Counter.add
#define DO_ADD                                                                    \
    static int32_t add(struct counter *c, struct reply r, int64_t by) {           \
        c->n = (int64_t)((uint64_t)c->n + (uint64_t)by);                          \
        return reply_i64(r, c->n);                                                \
    }
#include "counter.h"
