/* A negative index is not refused. */
// want: crash Texts.at
#define IN_RANGE(s, i) ((i) < (int64_t)(s)->count)
#include "texts.h"
