/* A box of files that looks at errno where nothing has failed: it is that of a call before. */
// want: io-wrong Notes.copy
// wasm: nothing: the system of a module has no such files, and nothing fails around it
#define EMPTY(fd) (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && errno == 0)
#include "files.h"
