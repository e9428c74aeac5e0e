/* The keys are sorted by comparing each with all others. */
// want: quadratic-time Texts.keys
// explore
#define JOIN_KEYS(s, out)                                                                        \
    do {                                                                                         \
            for (size_t i = 0; i < (s)->count; i++) {                                            \
                size_t before = 0;                                                               \
                for (size_t k = 0; k < (s)->count; k++) {                                        \
                    struct entry *a = &(s)->entries[i], *b = &(s)->entries[k];                   \
                    size_t n = a->key_size < b->key_size ? a->key_size : b->key_size;            \
                    int order = memcmp(b->key, a->key, n);                                       \
                    if (order < 0 || (order == 0 && b->key_size < a->key_size)) before += b->key_size + 1; \
                }                                                                                \
                memcpy((out) + before, (s)->entries[i].key, (s)->entries[i].key_size);           \
                (out)[before + (s)->entries[i].key_size] = ',';                                  \
            }                                                                                    \
    } while (0)
#include "texts.h"
