/* A method writes through a null pointer. */
// want: crash Counter.poke
#define ON_POKE *nowhere = 1
#include "counter.h"
