/* A method takes a lock that it has. */
// want: hang Counter.poke
#define ON_POKE pthread_mutex_lock(&lock)
#include "counter.h"
