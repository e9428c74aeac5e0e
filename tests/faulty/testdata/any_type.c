/* Calls for other types are answered. */
// want: type-unchecked Counter
#define KNOWN_TYPE(id) ((id) != 0)
#include "counter.h"
