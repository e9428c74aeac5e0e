/* A method that does not exist is answered. */
// want: method-unchecked Counter
#define UNKNOWN_METHOD return nothing(r)
#include "counter.h"
