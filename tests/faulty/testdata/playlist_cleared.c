/* A list that was cleared still has its cursor. */
// want: use-after-free
// explore
#define AFTER_CLEAR(l) (l)->first = (l)->last = NULL
#include "playlist.h"
