/* A text is put together in one buffer for all threads. */
// want: race Store.label
// wasm: nothing: a module serves one call at a time
#define DO_LABEL                                                                \
    static int32_t label(struct store *s, struct reply r, struct text t) {     \
        static uint8_t text[65536];                                             \
        (void)s;                                                                \
        if (t.size + 2 > NYASH_TLV_MAX_PAYLOAD) return NYASH_E_INVALID_ARGS;    \
        text[0] = '<';                                                          \
        memcpy(text + 1, t.data, t.size);                                       \
        text[t.size + 1] = '>';                                                 \
        return reply(r, NYASH_TAG_BYTES, text, t.size + 2);                     \
    }
#include "store.h"
