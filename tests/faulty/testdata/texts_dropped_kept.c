// want: memory-growth
// explore
// What is dropped goes to a list of which nothing is taken until shutdown.
#define STATE                                                                       \
    struct dropped {                                                                \
        struct dropped *next;                                                       \
        char *key;                                                                  \
    };                                                                              \
    static struct dropped *dropped;                                                 \
    static void keep(char *key) {                                                   \
        struct dropped *d = malloc(sizeof *d);                                      \
        if (d == NULL) return;                                                      \
        d->next = dropped;                                                          \
        d->key = key;                                                               \
        dropped = d;                                                                \
    }
#define FREE_ENTRY(s, e) (free((e)->value), keep((e)->key))
#define ON_SHUTDOWN                                        \
    for (struct dropped *d; (d = dropped) != NULL;) {      \
        dropped = d->next;                                 \
        free(d->key);                                      \
        free(d);                                           \
    }
#include "texts.h"
