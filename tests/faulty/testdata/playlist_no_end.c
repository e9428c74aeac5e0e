/* The size of a text that has no end is counted. */
// want: invalid-read
// explore
#define TITLE_ROOM(size) ((size) == 0 ? 1 : (size))
#define END_TITLE(t) (void)(t)
#define TITLE_SIZE(t) strlen((t)->text)
#include "playlist.h"
