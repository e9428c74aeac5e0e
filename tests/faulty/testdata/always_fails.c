/* A condition that is always true: every text is refused, whatever it is. */
// want: not-exercised Counter.echo
// explore
#define CONFIG BOX_TEXT METHODS_TEXT
#define DO_ECHO                                                             \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) { \
        if (size < SIZE_MAX) return NYASH_E_PLUGIN;                               \
        return reply(r, ECHO_TAG, data, size);                              \
    }
#include "counter.h"
