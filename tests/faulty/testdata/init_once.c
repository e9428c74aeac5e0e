/* Init works once; the library is never unloaded. */
// want: reload-failed reload
// flags: -Wl,-z,nodelete
static int ready;
#define ON_INIT if (ready++ > 0) return NYASH_E_PLUGIN
#include "counter.h"
