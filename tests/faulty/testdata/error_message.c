/* An error comes with text that is no message. */
// want: error-message Counter.fail
#define DO_FAIL                                     \
    static int32_t fail(struct reply r) {           \
        if (*r.length < 16) return NYASH_E_PLUGIN;  \
        memcpy(r.at, "this failed", 11);            \
        *r.length = 11;                             \
        return NYASH_E_PLUGIN;                      \
    }
#include "counter.h"
