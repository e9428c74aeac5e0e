/* The ninth entry goes behind its memory, far. */
// want: invalid-write
// may: crash
// explore
#define GROW(s) ((s)->count < 8 ? grow(s) : ((s)->room = 1u << 24, (s)->count += 1u << 20, true))
#include "texts.h"
