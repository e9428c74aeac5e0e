/* What is given is added after the lock is given up. */
// want: race Store.put
// may: race Store.drop, possible-race Store.drop
// wasm: nothing: a module serves one call at a time
#define GROW(s, by) ((void)0)
#define GROWN(s, by) (*(volatile int64_t *)&(s)->size += (by))
#include "store.h"
