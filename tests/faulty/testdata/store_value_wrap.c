/* The size of a value is kept in 8 bits. */
// want: value-damaged Store.get
#define SIZE_OF_VALUE uint8_t
#include "store.h"
