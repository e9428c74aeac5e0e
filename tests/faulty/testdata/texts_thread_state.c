/* A number is there for the thread alone that has set it. */
// want: thread-dependent Texts.number
// explore
#define STATE                                \
    static int64_t threads;                  \
    static int64_t me(void) {                \
        static __thread int64_t number;      \
        if (number == 0) number = ++threads; \
        return number;                       \
    }
#define SET_NUM(s, i) ((s)->num = (i), (s)->owner = me())
#define ON_NUM(s) ((s)->owner == me() ? (s)->num : 0)
#include "texts.h"
