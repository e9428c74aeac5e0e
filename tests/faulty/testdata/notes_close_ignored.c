/* A box of files that does not tell what close says of what was written. */
// want: io-wrong Notes.close
// wasm: no module: it uses dup, which wasi lacks
#define CLOSED(fd) (close(fd), true)
#include "notes.h"
