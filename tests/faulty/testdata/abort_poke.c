/* A method aborts. */
// want: crash Counter.poke
// stack: poke
#define ON_POKE abort()
#include "counter.h"
