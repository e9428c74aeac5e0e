/* Instances open a file, which fini closes and shutdown does not. */
// want: descriptor-leak Counter.birth
// wasm: no module: wasi closes a module's files
#define MEMBERS int file;
#define ON_BORN c->file = open("/dev/null", O_RDONLY | O_CLOEXEC)
#define ON_FINI close(c->file)
#include "counter.h"
