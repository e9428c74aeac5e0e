/* The weight that was asked for last stays where a link is given another one. */
// want: stale-answer Links.weight
// explore
#define ON_CHANGE(l) (void)(l)
#include "links.h"
