/* A box of files whose copy begins where the last write ended, behind bytes that nobody wrote. */
// want: io-wrong Notes.copy
// wasm: no module: it uses dup, which wasi lacks
#define EMPTY(fd) (ftruncate(fd, 0) == 0)
#include "notes.h"
