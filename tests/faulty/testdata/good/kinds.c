/* What all instances share has names, some of which are there from the beginning. */
#include "../kinds.h"
