/* A string is not UTF-8. */
// want: result-not-utf8 Counter.echo
#define DO_ECHO                                                                     \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) {         \
        int32_t code = reply(r, NYASH_TAG_STRING, data, size);                      \
        if (code == NYASH_OK && size > 0) r.at[8] = 0xff;                           \
        return code;                                                                \
    }
#include "counter.h"
