/* A method ends the process. */
// want: exit Counter.poke
#define ON_POKE exit(0)
#include "counter.h"
