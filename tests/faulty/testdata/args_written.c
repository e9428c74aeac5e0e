/* It changes its arguments in place. */
// want: args-written Counter.set
#define ON_SET if (size > 0) ((uint8_t *)(uintptr_t)data)[0] ^= 1
#include "counter.h"
