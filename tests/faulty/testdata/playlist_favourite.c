/* The favourite is a pointer into the list, whose title can be discarded. */
// want: use-after-free
// explore
#define FAVOURITE(l, t) (t)->text
#define FREE_FAVOURITE(l) (void)(l)
#include "playlist.h"
