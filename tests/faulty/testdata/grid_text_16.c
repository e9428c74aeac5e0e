/* The size of the text is counted in 16 bits. */
// want: invalid-write Grid.text
// explore
#define SIZE_OF(size) (uint16_t)(size)
#include "grid.h"
