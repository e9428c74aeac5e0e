/* A method that takes one word alone, of which nothing tells: the tester cannot call it. */
// want: not-exercised Counter.echo
#define DO_ECHO                                                                        \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) {            \
        if (size != 5 || ((data[0] * 31u + data[1]) * 31u + data[2]) * 31u + data[4] != 3580921u) return NYASH_E_INVALID_ARGS; \
        return reply(r, ECHO_TAG, data, size);                                         \
    }
#include "counter.h"
