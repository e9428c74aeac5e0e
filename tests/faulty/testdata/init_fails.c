/* Init fails. */
// want: init-failed
#define ON_INIT return NYASH_E_PLUGIN
#include "counter.h"
