/* An instance is taken out of the list without its lock. */
// want: race Store.fini
// may: race, crash, hang, fini-failed
// wasm: nothing: a module serves one call at a time
#define LOCK_FINI()
#define UNLOCK_FINI()
#include "store.h"
