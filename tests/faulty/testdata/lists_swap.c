/* Merging takes the two locks one after the other, and not both. */
// want: race Store.merge
// may: race, crash
// wasm: nothing: a module serves one call at a time
#define DO_MERGE                                                                        \
    static void merge(struct store *to, struct store *from) {                          \
        struct entry *all;                                                              \
        if (to == from) return;                                                         \
        LOCK(from);                                                                     \
        all = from->entries;                                                            \
        UNLOCK(from);                                                                   \
        LOCK(to);                                                                       \
        for (struct entry *e = all; e != NULL; e = e->next) put_entry(to, e->key, e->value); \
        UNLOCK(to);                                                                     \
    }
#include "store.h"
