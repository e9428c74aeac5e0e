/* A copy is not released where two links contradict each other. */
// want: leak
// may: memory-growth
// explore
#define ON_CONTRADICTION(p) (void)(p)
#include "links.h"
