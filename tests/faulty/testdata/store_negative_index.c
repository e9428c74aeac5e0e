/* A negative index is not refused. */
// want: crash Store.at
#define IN_RANGE(s, i) ((i) < (int64_t)(s)->count)
#include "store.h"
