/* Reading does not lock: what is read may be freed meanwhile. */
// want: race Store.get
// may: race, crash
// wasm: nothing: a module serves one call at a time
#define LOCK_GET(s) ((void)(s))
#define UNLOCK_GET(s) ((void)(s))
#include "store.h"
