/* What was replaced stays so where there is no room for the rest. */
// want: half-done Page.replace
// explore
#define ROOM(size) 1
#include "page.h"
