/* The last entry is asked for where there is none. */
// want: crash Texts.tail
// explore
#define TAIL_OF(s) (&(s)->entries[(s)->count - 1])
#include "texts.h"
