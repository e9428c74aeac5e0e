/* It changes the working directory. */
// want: working-directory
#define ON_POKE (void)!chdir("/")
#include "counter.h"
