/* The size of a name is kept in 8 bits, and compared with the whole one. */
// want: value-damaged
// explore
#define LONGEST 400
#define NAME_SIZE uint8_t
#include "words.h"
