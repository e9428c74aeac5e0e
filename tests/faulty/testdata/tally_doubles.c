/* What a tally takes over of another one, or of itself, is not looked at: it goes over. */
// want: size-wraps
// explore
#define FITS(have, more) 1
#include "tally.h"
