/* Two instances are locked in the order of the call: two calls that have them the other way
 * round wait for each other. */
// want: hang Store.merge
// may: hang
// wasm: nothing: a module serves one call at a time
#define DO_MERGE                                                                                   \
    static void merge(struct store *to, struct store *from) {                                      \
        if (to == from) return;                                                                    \
        LOCK(to);                                                                                  \
        LOCK(from);                                                                                \
        for (struct entry *e = from->entries; e != NULL; e = e->next) put_entry(to, e->key, e->value); \
        UNLOCK(from);                                                                              \
        UNLOCK(to);                                                                                \
    }
#include "store.h"
