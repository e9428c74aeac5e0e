/* Prices that are checked before any is changed. */
#include "../stalls.h"
