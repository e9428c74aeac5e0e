/* It takes a string for one that ends with a NUL. */
// want: args-overread Counter.echo
// stack: echo
// wasm: nothing: what is behind the arguments can be read
#define DO_ECHO                                                                \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) {    \
        (void)size;                                                            \
        return reply(r, ECHO_TAG, data, strlen((const char *)data));           \
    }
#include "counter.h"
