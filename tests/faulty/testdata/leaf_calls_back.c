/* A leaf method calls its host. */
// want: leaf-calls-back Counter.poke
// wasm: leaf-calls-back Counter.poke: it is the same there
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT_OF("leaf = true, ")
#define ON_POKE                              \
    uint32_t clock = host_birth("TimeBox");  \
    if (clock == 0) return NYASH_E_PLUGIN;   \
    host_fini("TimeBox", clock)
#include "counter.h"
