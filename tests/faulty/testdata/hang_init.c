/* Init does not return. */
// want: hang init
#define ON_INIT for (volatile int i = 0;; i++) continue
#include "counter.h"
