/* Products of large numbers, in 128 bits. */
#include "../shares.h"
