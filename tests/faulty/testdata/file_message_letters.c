/* A box of files that takes one letter too many from what the system says. */
// want: error-message Notes.open
// wasm: error-message Notes.open: it is the same
#define REFUSED(c) nyash_error(c, NYASH_E_PLUGIN, "%s", strerror(errno) + 1)
#include "files.h"
