/* A box of files that forgets the second descriptor of a file that is open. */
// want: descriptor-leak Notes.twin
// wasm: nothing: it has no descriptors of its own
#define TWIN_OPEN(fd) ((fd) < 0)
#include "files.h"
