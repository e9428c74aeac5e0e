/* It leaves memory that can be both written and run. */
// want: writable-code Counter.poke
// wasm: no module: WebAssembly's code is not in memory
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/mman.h>
static void *code;
#define ON_POKE                                                                                              \
    if (code == NULL) code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
#include "counter.h"
