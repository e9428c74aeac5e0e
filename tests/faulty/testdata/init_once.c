/* Init works once; the library is never unloaded. */
// want: reload-failed reload
// flags: -Wl,-z,nodelete
// wasm: nothing: each life of a module begins with its memory as in the file
static int ready;
#define ON_INIT if (ready++ > 0) return NYASH_E_PLUGIN
#include "counter.h"
