/* A method does not return. */
// want: hang Counter.poke
#define ON_POKE for (volatile int i = 0;; i++) continue
#include "counter.h"
