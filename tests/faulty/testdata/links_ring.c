/* The weights that a name remembers have one place too few. */
// want: value-damaged Links.last
// explore
#define PLACE(moves) ((moves) % (RECENT + 1))
#include "links.h"
