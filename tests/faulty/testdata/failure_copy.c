/* The memory of a copy is not looked at, and used only where there is something to copy. */
// want: failure-crash Counter.poke
// wasm: nothing: nothing fails around a module
#define ON_GET \
    if (c->size > 0) return reply_i64(r, (int64_t)c->data[0])
#define DO_POKE                                                              \
    static int32_t poke(struct counter *c, struct reply r) {                 \
        uint32_t handle[2] = {TYPE_ID, 0};                                   \
        uint8_t made[8];                                                     \
        size_t length = sizeof made;                                         \
        int32_t code;                                                        \
        struct counter *copy;                                                \
        if (!fits(r, sizeof handle)) return NYASH_E_SHORT_BUFFER;            \
        code = birth((struct reply){made, &length});                         \
        if (code != NYASH_OK) return code;                                   \
        memcpy(&handle[1], made, 4);                                         \
        copy = counters[handle[1]];                                          \
        copy->n = c->n;                                                      \
        copy->data = malloc(c->size + 1);                                    \
        copy->size = c->size;                                                \
        for (size_t i = 0; i < c->size; i++) copy->data[i] = c->data[i];     \
        return reply(r, NYASH_TAG_HANDLE, handle, sizeof handle);            \
    }
#include "counter.h"
