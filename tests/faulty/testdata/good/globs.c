/* Names, and patterns that match some of them. */
#include "../globs.h"
