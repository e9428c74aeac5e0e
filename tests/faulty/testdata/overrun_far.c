/* A result is written without a look at the room for it. */
// want: result-overrun Counter.echo
#define DO_ECHO                                                                     \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) {         \
        if (*r.length < 16) memset(r.at, 1, 9000);                                  \
        return reply(r, NYASH_TAG_STRING, data, size);                              \
    }
#include "counter.h"
