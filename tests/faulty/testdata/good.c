/* No fault. */

#include "counter.h"
