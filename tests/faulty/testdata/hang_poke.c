/* A method does not return. */
// want: hang Counter.poke
// stack: poke
#define ON_POKE for (volatile int i = 0;; i++) continue
#include "counter.h"
