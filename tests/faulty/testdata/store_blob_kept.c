/* It keeps the pointer to a large blob. */
// want: memory-kept Store.data
#define KEEP_DATA 64
#include "store.h"
