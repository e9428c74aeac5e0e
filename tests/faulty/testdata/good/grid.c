/* Rows and columns, of which not all fit into a result. */
#include "../grid.h"
