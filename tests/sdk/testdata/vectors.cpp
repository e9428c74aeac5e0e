// The header's reader and writer are the same in C++.
#include "vectors.c"
