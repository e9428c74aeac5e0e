/* A number is kept in 32 bits. */
// want: value-damaged Store.number
#define NUMBER int32_t
#include "store.h"
