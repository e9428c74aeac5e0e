/* Birth fails. */
// want: birth-failed Counter.birth
#define ON_BIRTH return NYASH_E_PLUGIN
#include "counter.h"
