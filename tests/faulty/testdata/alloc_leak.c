/* A block of the host's alloc is never given back. */
// want: alloc-leak
#define ON_INIT nowhere = host->alloc(32)
#include "counter.h"
