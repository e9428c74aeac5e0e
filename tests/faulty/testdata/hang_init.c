/* Init does not return. */
// want: hang init
// stack: nyash_plugin_init
#define ON_INIT for (volatile int i = 0;; i++) continue
#include "counter.h"
