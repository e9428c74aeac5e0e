/* After clear there is room, and no memory for it. */
// want: crash Store.put
#define AFTER_CLEAR(s) ((s)->entries = NULL)
#include "store.h"
