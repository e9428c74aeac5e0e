/* The process ends in call 5,000 of its life, which few processes come to. */
// want: ended-once
// explore
#include <stdlib.h>
static int calls;
#define ON_PUT(s) \
    if (++calls == 5000) _Exit(3)
#include "texts.h"
