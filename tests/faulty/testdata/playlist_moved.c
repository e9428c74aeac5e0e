/* The latest mark is a pointer into memory that moves when it grows. */
// want: use-after-free
// explore
#define GROW_MARKS(l) \
    if ((l)->mark_count % 4 == 1 && (l)->mark_count < 6) (l)->latest = &(l)->marks[(l)->mark_count - 1]
#include "playlist.h"
