/* Shutdown crashes. */
// want: crash shutdown
#define ON_SHUTDOWN *nowhere = 1
#include "counter.h"
