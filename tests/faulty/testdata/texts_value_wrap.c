/* The size of a value is kept in 8 bits. */
// want: value-damaged Texts.get
// explore
#define SIZE_OF_VALUE uint8_t
#include "texts.h"
