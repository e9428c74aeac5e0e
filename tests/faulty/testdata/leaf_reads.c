/* A leaf method reads from a pipe, in which something is: it does not have to wait. */
// want: leaf-blocks Counter.poke
// wasm: no module: there are no pipes
#define _GNU_SOURCE
#include <unistd.h>
#define CONFIG BOX_TEXT METHODS_TEXT_OF("leaf = true, ")
static int ends[2];
#define ON_INIT                           \
    if (pipe(ends) != 0) return NYASH_E_PLUGIN
#define ON_SHUTDOWN close(ends[0]), close(ends[1])
#define ON_POKE                                                                                  \
    char byte = 0;                                                                               \
    if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) return NYASH_E_PLUGIN
#include "counter.h"
