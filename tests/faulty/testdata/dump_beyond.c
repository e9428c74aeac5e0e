/* A size in a dump is compared with all of the dump, and not with what is left of it. */
// want: args-overread Notes.restore
// explore
#define FITS(size, at, end) ((size) <= (end))
#include "dump.h"
