/* Each call leaves a file open. */
// want: descriptor-leak Counter.poke
// wasm: nothing: they are the module's own
#define ON_POKE (void)!open("/dev/null", O_RDONLY | O_CLOEXEC)
#include "counter.h"
