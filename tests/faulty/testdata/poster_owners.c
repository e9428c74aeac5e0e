/* The owners of a text, which are of several instances, are counted without a lock. */
// want: possible-race Poster.copy
// may: race Poster.copy, possible-race Poster.fini
#define OWN(t) (void)++(t)->owners
#define DISOWN(t) (--(t)->owners == 0)
#include "poster.h"
