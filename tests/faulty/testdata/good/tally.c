/* A count that is refused where it does not fit. */
#include "../tally.h"
