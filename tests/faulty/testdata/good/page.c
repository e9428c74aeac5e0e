/* A text with its last versions, to which calls that are refused add nothing. */
#include "../page.h"
