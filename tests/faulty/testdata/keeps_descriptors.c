/* Each call leaves a file open. */
// want: descriptor-leak Counter.poke
#define ON_POKE (void)!open("/dev/null", O_RDONLY | O_CLOEXEC)
#include "counter.h"
