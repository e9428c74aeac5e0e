/* The grid has its new shape before there is memory for it. */
// want: half-done Grid.resize
// may: failure-crash Grid.resize
#define BEFORE_RESIZE(g, r, c) (g)->rows = (r), (g)->columns = (c)
#include "grid.h"
