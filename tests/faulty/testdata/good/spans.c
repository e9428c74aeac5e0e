/* Ranges to the ends of what a number holds. */
#include "../spans.h"
