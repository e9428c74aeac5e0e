/* A leaf method sleeps. */
// want: leaf-blocks Counter.poke
// wasm: nothing: leaf counts for nothing in a module
#define _GNU_SOURCE
#include <time.h>
#define CONFIG BOX_TEXT METHODS_TEXT_OF("leaf = true, ")
#define ON_POKE nanosleep(&(struct timespec){0, 1000}, NULL)
#include "counter.h"
