/* The count is answered in 8 bits. */
// want: size-wraps Store.count
#define ANSWERED_COUNT uint8_t
#include "store.h"
