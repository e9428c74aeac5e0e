/* The balance is looked at and taken from in two steps. */
// want: race Store.take
// wasm: nothing: a module serves one call at a time
#define ENOUGH(s) (UNLOCK(s), LOCK(s))
#include "store.h"
