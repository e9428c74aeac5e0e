/* A call closes a descriptor that was never opened, whose number is 0. */
// want: descriptor-closed Counter.poke
// wasm: no module: it has no descriptors of its host
#include <unistd.h>
static int opened;
#define ON_POKE close(opened)
#include "counter.h"
