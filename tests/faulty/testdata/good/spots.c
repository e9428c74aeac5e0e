/* Places and distances, in 64 bits, and ranges that the docs of arguments name. */
#include "../spots.h"
