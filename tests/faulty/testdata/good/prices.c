/* Prices by name. */
#include "../prices.h"
