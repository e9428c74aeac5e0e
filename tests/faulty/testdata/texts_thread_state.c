/* A number is kept for each thread. */
// want: thread-dependent Texts.number
// explore
#define STATE static __thread int64_t kept;
#define SET_NUM(s, i) (kept = (i))
#define ON_NUM(s) kept
#include "texts.h"
