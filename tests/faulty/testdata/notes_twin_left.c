/* A box of files that forgets the second descriptor of a file that is open. */
// want: descriptor-leak Notes.twin
// wasm: no module: it uses dup, which wasi lacks
#define TWIN_OPEN(fd) ((fd) < 0)
#include "notes.h"
