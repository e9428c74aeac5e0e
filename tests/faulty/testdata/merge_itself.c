/* An instance that is merged into itself is locked twice. */
// want: hang Store.merge
// wasm: nothing: locks do nothing in a module
#define DO_MERGE                                                                                   \
    static void merge(struct store *to, struct store *from) {                                      \
        LOCK(to->id < from->id ? to : from);                                                       \
        LOCK(to->id < from->id ? from : to);                                                       \
        for (struct entry *e = from->entries; e != NULL; e = e->next) put_entry(to, e->key, e->value); \
        UNLOCK(from);                                                                              \
        UNLOCK(to);                                                                                \
    }
#include "store.h"
