/* It looks at one byte more than a short message has. */
// want: args-overread Counter.echo
// may: args-overread
// wasm: nothing: what is behind the arguments can be read
#include <stdint.h>
static uint8_t seen;
#define DO_ECHO                                                                \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) {    \
        seen = ((const volatile uint8_t *)data)[size];                         \
        return reply(r, ECHO_TAG, data, size);                                 \
    }
#include "counter.h"
