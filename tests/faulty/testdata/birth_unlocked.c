/* A new instance is put into the list without its lock, and its id is counted so. */
// want: birth-id-race Store.birth
// may: birth-id-race, race Store.birth, race Store.fini, crash, hang, race
// wasm: nothing: a module serves one call at a time
#define LOCK_BIRTH()
#define UNLOCK_BIRTH()
#include "store.h"
