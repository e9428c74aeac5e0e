/* The cursor is still at a title that was discarded. */
// want: use-after-free
// explore
#define CURSOR_PAST(l, t) (void)(t)
#include "playlist.h"
