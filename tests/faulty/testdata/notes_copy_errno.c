/* A box of files that looks at errno where nothing has failed: it is that of a call before. */
// want: io-wrong Notes.copy
// wasm: no module: it uses dup, which wasi lacks
#define EMPTY(fd) (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && errno == 0)
#include "notes.h"
