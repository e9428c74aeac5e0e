/* Fini frees again what it has freed. */
// want: crash Counter.fini
// want: double-free
// memcheck
// flags: -Wno-use-after-free
#define END                                                    \
    static int32_t end(uint32_t id) {                          \
        struct counter *c = id == 0 || id > last_id ? NULL : counters[id]; \
        if (c == NULL) return NYASH_E_INVALID_HANDLE;          \
        if (c->data == NULL) c->data = malloc(32);             \
        free(c->data);                                         \
        if (c->ended) free(c->data);                           \
        c->ended = true;                                       \
        return NYASH_OK;                                       \
    }
#define FREE_COUNTER(c) free(c)
#include "counter.h"
