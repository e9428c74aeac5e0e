/* Where the stamp of a label finds no memory, the label stays owned by nobody. */
// want: half-done Kinds.label
// may: failure-leak Kinds.label
// failures
#define NO_STAMP(text) (void)(text)
#include "kinds.h"
