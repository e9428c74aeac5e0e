/* It says that it has written more than it has. */
// want: result-length Counter.echo
#define DO_ECHO                                                                     \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) {         \
        int32_t code = reply(r, NYASH_TAG_STRING, data, size);                      \
        if (code == NYASH_OK) *r.length += 4;                                       \
        return code;                                                                \
    }
#include "counter.h"
