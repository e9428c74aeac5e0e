/* The library calls its box otherwise than nyash.toml. */
// want: type-name Counter
// toml
#define TYPE_NAME "Kounter"
#include "counter.h"
