/* It needs a function that nobody has. */
// want: load-failed
int nobody_defines_this(void);
#define ON_INIT nobody_defines_this()
#include "counter.h"
