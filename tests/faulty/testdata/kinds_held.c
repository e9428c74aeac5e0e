/* The text of a label stays with those of all instances when its last owner has ended. */
// want: memory-growth Kinds.label
// explore
#define UNUSED(e) (void)(e)
#include "kinds.h"
