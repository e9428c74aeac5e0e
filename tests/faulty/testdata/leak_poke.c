/* Each call loses a block. */
// want: memory-growth Counter.poke
#define ON_POKE nowhere = malloc(200)
#include "counter.h"
