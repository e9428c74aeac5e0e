/* Init crashes. */
// want: crash init
#define ON_INIT *nowhere = 1
#include "counter.h"
