/* It reads past a block of its own. */
// want: invalid-read
// memcheck
#define ON_SET if (copy[size + 1] == 77) return NYASH_E_PLUGIN
#include "counter.h"
