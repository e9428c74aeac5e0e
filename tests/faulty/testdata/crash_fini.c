/* Fini crashes. */
// want: crash Counter.fini
#define ON_FINI *nowhere = 1
#include "counter.h"
