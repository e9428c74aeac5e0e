/* A method aborts. */
// want: crash Counter.poke
#define ON_POKE abort()
#include "counter.h"
