/* Each birth loses a small block. */
// want: leak
// memcheck
#define ON_BIRTH nowhere = malloc(16); nowhere = NULL
#include "counter.h"
