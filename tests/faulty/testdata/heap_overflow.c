/* It writes past a block of its own. */
// want: invalid-write
// memcheck
#define ON_SET copy[size + 1] = 0
#include "counter.h"
