/* Each key is appended at an end that is looked for. */
// want: quadratic-time Texts.keys
// explore
#define JOIN_KEYS(s, out)                                                    \
    do {                                                                     \
        *(out) = 0;                                                          \
        for (size_t i = 0; i < (s)->count; i++) {                            \
            strncat(out, (s)->entries[i].key, (s)->entries[i].key_size);     \
            strcat(out, ",");                                                \
        }                                                                    \
    } while (0)
#include "texts.h"
