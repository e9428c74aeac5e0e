/* A method that nyash.toml declares void returns a number. */
// want: result-type Counter.poke
// toml
#define DO_POKE                                               \
    static int32_t poke(struct counter *c, struct reply r) {  \
        return reply_i64(r, c->n);                            \
    }
#include "counter.h"
