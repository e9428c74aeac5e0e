/* The version is another one the second time; the counter stays, as the library is never unloaded. */
// want: reload-failed reload
// flags: -Wl,-z,nodelete
// wasm: nothing: each life of a module begins with its memory as in the file
static unsigned asked;
#define ABI (asked++ == 0 ? 1u : 2u)
#include "counter.h"
