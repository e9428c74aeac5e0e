/* A factor is kept in 32 bits. */
// want: value-damaged Store.scale
#define FACTOR float
#include "store.h"
