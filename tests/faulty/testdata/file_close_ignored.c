/* A box of files that does not tell what close says of what was written. */
// want: io-wrong Notes.close
// wasm: nothing: the system of a module has no such files, and nothing fails around it
#define CLOSED(fd) (close(fd), true)
#include "files.h"
