/* It exports a function of its own. */
// want: extra-symbol
// wasm: nothing: a module exports what its source marks, whatever the visibility
__attribute__((visibility("default"))) int compare(int a, int b);
int compare(int a, int b) { return a - b; }
#include "counter.h"
