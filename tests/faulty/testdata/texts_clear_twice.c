/* After clear there is room, and no memory for it. */
// want: crash
// explore
#define AFTER_CLEAR(s) ((s)->entries = NULL)
#include "texts.h"
