/* Variables in each other, not too deep. */
#include "../vars.h"
