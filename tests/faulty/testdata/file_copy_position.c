/* A box of files whose copy begins where the last write ended, behind bytes that nobody wrote. */
// want: io-wrong Notes.copy
// wasm: io-wrong Notes.copy: it is the same
#define EMPTY(fd) (ftruncate(fd, 0) == 0)
#include "files.h"
