/* The lock is given up between looking for an entry and adding it. */
// want: race Store.put
// may: race, crash, hang
// wasm: nothing: a module serves one call at a time
#define FOUND(s) UNLOCK(s)
#define FOUND_DONE(s) LOCK(s)
#include "store.h"
