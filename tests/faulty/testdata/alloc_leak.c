/* A block of the host's alloc is never given back. */
// want: alloc-leak
// wasm: nothing: host->alloc is the module's own malloc
#define ON_INIT nowhere = host->alloc(32)
#include "counter.h"
