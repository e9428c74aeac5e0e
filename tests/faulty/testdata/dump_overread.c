/* It reads one byte past a blob. */
// want: args-overread Notes.sum
#define END_OF(size) ((size) + 1)
#include "dump.h"
