/* It prints to its standard output. */
// want: prints
#define ON_POKE puts("poked"), fflush(stdout)
#include "counter.h"
