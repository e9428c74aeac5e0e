/* A method calls itself through the host. */
// want: endless-recursion Counter.poke
// wasm: nothing: a call that the library itself would have to answer waits for itself, and is refused
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['Counter']\n" METHODS_TEXT
#define ON_POKE                                 \
    uint32_t id = c->id;                        \
    pthread_mutex_unlock(&lock);                \
    host_call("Counter", "poke", id, NO_ARGS);  \
    pthread_mutex_lock(&lock)
#include "counter.h"
