/* Counts that are taken over all or not at all, without a fault. */
#include "../tags.h"
