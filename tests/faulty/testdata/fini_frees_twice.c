/* Fini of an instance that was ended frees a block twice. */
// want: crash Counter.fini
// want: double-free
// memcheck
// flags: -Wno-use-after-free
// wasm: nothing: its allocator does not find that
#define END                                                    \
    static struct counter ghost = {.ended = true};              \
    static int32_t end(uint32_t id) {                          \
        struct counter *c = id == 0 || id > last_id ? NULL : counters[id]; \
        if (c == NULL) return NYASH_E_INVALID_HANDLE;          \
        if (c == &ghost) {                                     \
            nowhere = malloc(32);                              \
            free(nowhere);                                     \
            free(nowhere);                                     \
            nowhere = NULL;                                    \
            return NYASH_OK;                                   \
        }                                                      \
        free(c->data);                                         \
        free(c);                                               \
        counters[id] = &ghost;                                 \
        return NYASH_OK;                                       \
    }
#define FREE_COUNTER(c) ((c)->ended ? (void)0 : (free((c)->data), free(c)))
#include "counter.h"
