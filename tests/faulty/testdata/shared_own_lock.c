/* What all stores share is guarded by the lock of each. */
// want: race Store.label
// wasm: nothing: a module serves one call at a time
#define DO_LABEL                                                                           \
    static uint8_t uses[256];                                                              \
    static int32_t label(struct store *s, struct reply r, struct text t) {                 \
        uint8_t out[2] = {'#', '0'};                                                       \
        if (t.size > 2000) return NYASH_E_INVALID_ARGS;                                    \
        if (!fits(r, sizeof out)) return NYASH_E_SHORT_BUFFER;                             \
        LOCK(s);                                                                           \
        uint8_t *of = &uses[t.size > 0 ? t.data[0] : 0], n = *of;                          \
        out[1] = (uint8_t)('0' + n % 8);                                                   \
        *of = (uint8_t)(n + 1);                                                            \
        UNLOCK(s);                                                                         \
        return reply(r, NYASH_TAG_BYTES, out, sizeof out);                                 \
    }
#include "store.h"
