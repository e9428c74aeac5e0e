/* Fini does its work and answers an error. */
// want: fini-failed Counter.fini
#define END                                                    \
    static int32_t end(uint32_t id) {                          \
        struct counter *c = look_up(id);                       \
        if (c == NULL) return NYASH_E_INVALID_HANDLE;          \
        FREE_COUNTER(c);                                       \
        counters[id] = NULL;                                   \
        return NYASH_E_PLUGIN;                                 \
    }
#include "counter.h"
