/* The entries of an instance are not locked at all. */
// want: race Store.put
// may: race, crash, hang, exit
// wasm: nothing: a module serves one call at a time
#define LOCK(s) ((void)(s))
#define UNLOCK(s) ((void)(s))
#include "store.h"
