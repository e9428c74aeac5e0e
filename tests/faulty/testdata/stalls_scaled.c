/* The first prices are changed where a later one would be too high. */
// want: half-done Stalls.scale
// explore
#define CHECK_FIRST 0
#include "stalls.h"
