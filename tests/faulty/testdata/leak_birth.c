/* Each birth loses a small block. */
// want: leak
// may: memory-growth Counter.birth
// memcheck
// wasm: nothing: less than is seen in the size of the memory
#define ON_BIRTH nowhere = malloc(16); nowhere = NULL
#include "counter.h"
