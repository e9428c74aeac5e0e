/* Each instance has its lock, and all of them one buffer. */
// want: race Store.label
// wasm: nothing: a module serves one call at a time
#define DO_LABEL                                                                \
    static int32_t label(struct store *s, struct reply r, struct text t) {     \
        static uint8_t text[65536];                                             \
        int32_t code;                                                           \
        if (t.size + 2 > NYASH_TLV_MAX_PAYLOAD) return NYASH_E_INVALID_ARGS;    \
        LOCK(s);                                                                \
        text[0] = '<';                                                          \
        memcpy(text + 1, t.data, t.size);                                       \
        text[t.size + 1] = '>';                                                 \
        code = reply(r, NYASH_TAG_BYTES, text, t.size + 2);                     \
        UNLOCK(s);                                                              \
        return code;                                                            \
    }
#include "store.h"
