/* A negative index is not refused. */
// want: crash Texts.at
// explore
#define IN_RANGE(s, i) ((i) < (int64_t)(s)->count)
#include "texts.h"
