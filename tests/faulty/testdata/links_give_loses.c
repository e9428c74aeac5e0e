/* A name is taken away before it is known that the other instance takes it. */
// want: half-done Links.give
// explore
#define BEFORE_GIVE(l, at) take_away((l), (at))
#include "links.h"
