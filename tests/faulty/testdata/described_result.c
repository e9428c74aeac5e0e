/* A method returns something else than the self-description says. */
// want: result-type Counter.poke
#define CONFIG BOX_TEXT METHODS_TEXT
#define DO_POKE                                               \
    static int32_t poke(struct counter *c, struct reply r) {  \
        return reply_i64(r, c->n);                            \
    }
#include "counter.h"
