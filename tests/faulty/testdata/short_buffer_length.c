/* It forgets the header when it asks for room. */
// want: short-buffer-length Counter.echo
// may: short-buffer-side-effect Counter.echo
#define DO_ECHO                                                                     \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) {         \
        int32_t code = reply(r, NYASH_TAG_STRING, data, size);                      \
        if (code != NYASH_OK) *r.length -= 8;                                       \
        return code;                                                                \
    }
#include "counter.h"
