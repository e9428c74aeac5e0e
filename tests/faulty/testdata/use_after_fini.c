/* A method still works after fini: the table keeps something in the instance's place. */
// want: use-after-fini Counter.get
#define LOOK_UP(method, id) ((method) == GET && (id) != 0 && (id) <= last_id ? counters[id] : look_up(id))
#define END                                                    \
    static struct counter ghost = {.ended = true};              \
    static int32_t end(uint32_t id) {                          \
        struct counter *c = look_up(id);                       \
        if (c == NULL) return NYASH_E_INVALID_HANDLE;          \
        free(c->data);                                         \
        free(c);                                               \
        counters[id] = &ghost;                                 \
        return NYASH_OK;                                       \
    }
#define FREE_COUNTER(c) ((c)->ended ? (void)0 : (free((c)->data), free(c)))
#include "counter.h"
