/* A box of files that takes one letter too many from what the system says. */
// want: error-message Notes.open
// wasm: no module: it uses dup, which wasi lacks
#define REFUSED(c) nyash_error(c, NYASH_E_PLUGIN, "%s", strerror(errno) + 1)
#include "notes.h"
