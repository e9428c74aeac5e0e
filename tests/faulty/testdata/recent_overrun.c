/* It keeps the last numbers in a ring, with one more than there is room for: the next member is overwritten. */
// want: value-damaged
// explore
#define MEMBERS                           \
    struct {                              \
        int64_t numbers[12], calls, next; \
    } recent;
#define DO_ADD                                                            \
    static int32_t add(struct counter *c, struct reply r, int64_t by) {   \
        int64_t *numbers = c->recent.numbers;                             \
        if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;                     \
        if (c->recent.next > 12) c->recent.next = 0;                      \
        c->recent.calls++;                                                \
        memcpy((char *)numbers + 8 * c->recent.next++, &by, 8);           \
        return reply_i64(r, by);                                          \
    }
#define ON_GET return reply_i64(r, c->recent.calls)
#include "counter.h"
