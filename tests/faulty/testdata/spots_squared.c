/* The square of a distance goes over in 32 bits: far away is near. */
// want: size-wraps Spots.covered
// explore
#define DISTANCE(dx, dy) (int32_t)((uint32_t)(dx) * (uint32_t)(dx) + (uint32_t)(dy) * (uint32_t)(dy))
#include "spots.h"
