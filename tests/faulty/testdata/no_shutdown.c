/* An entry point is missing. */
// want: missing-symbol
#define NO_SHUTDOWN
#include "counter.h"
