/* A method takes a lock that it has. */
// want: hang Counter.poke
// stack: poke
// wasm: nothing: a module serves one call at a time
#define ON_POKE pthread_mutex_lock(&lock)
#include "counter.h"
