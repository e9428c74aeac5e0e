/* A method does not return. */
// want: hang Counter.poke
// stack: poke
#include <unistd.h>
#define ON_POKE for (;;) pause()
#include "counter.h"
