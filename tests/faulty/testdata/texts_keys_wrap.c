/* The size of all keys is computed in 16 bits. */
// want: size-wraps Texts.keys
// explore
#define SIZE_OF_KEYS uint16_t
#include "texts.h"
