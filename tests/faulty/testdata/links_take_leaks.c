/* A copy is not released where two links contradict each other. */
// want: memory-growth
// may: leak
// explore
#define ON_CONTRADICTION(p) (void)(p)
#include "links.h"
