/* The end of a text is written behind its memory. */
// want: invalid-write
// explore
#define TITLE_ROOM(size) (size)
#include "playlist.h"
