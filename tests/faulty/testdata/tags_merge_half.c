/* Whether counts have room is seen one by one, when those before have been added. */
// want: half-done Tags.merge
// explore
#define FITS(t, other) true
#include "tags.h"
