/* Where one line is refused, the notes before it stay. */
// want: half-done Notes.addAll
// explore
#define TAKE_BACK(n, to) (void)(to)
#include "dump.h"
