/* A text that was made the favourite is freed with its title and with the list. */
// want: double-free
// may: use-after-free
// explore
#define FAVOURITE(l, t) (t)->text
#include "playlist.h"
