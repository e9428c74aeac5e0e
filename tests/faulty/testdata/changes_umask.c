/* It changes the umask. */
// want: umask
#define ON_POKE umask(0)
#include "counter.h"
