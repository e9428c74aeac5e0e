/* Whether the result fits is looked at after the change, unless there is next to no room. */
// want: short-buffer-side-effect Counter.add
#define DO_ADD                                                         \
    static int32_t add(struct counter *c, struct reply r, int64_t by) { \
        if (*r.length < 12 && !fits(r, 8)) return NYASH_E_SHORT_BUFFER;  \
        c->n = (int64_t)((uint64_t)c->n + (uint64_t)by);               \
        return reply_i64(r, c->n);                                     \
    }
#include "counter.h"
