/* A name is taken before it is known that the hours fit. */
// want: half-done Diary.add
// explore
#define EARLY(d, name)                                        \
    do {                                                      \
        if (find(d, name) == NULL) {                          \
            keep(&(d)->notes[(d)->used].name, name);          \
            (d)->notes[(d)->used].at = at;                    \
            (d)->notes[(d)->used++].hours = 0;                \
        }                                                     \
    } while (0)
#include "diary.h"
