/* A method still works after fini. The instances are freed at shutdown. */
// want: use-after-fini Counter.get
#define LOOK_UP(method, id) ((method) == GET && (id) != 0 && (id) <= last_id ? counters[id] : look_up(id))
#define END                                                    \
    static int32_t end(uint32_t id) {                          \
        struct counter *c = look_up(id);                       \
        if (c == NULL) return NYASH_E_INVALID_HANDLE;          \
        c->ended = true;                                       \
        return NYASH_OK;                                       \
    }
#include "counter.h"
