/* A hold is not given up where a call fails in between. */
// want: hold-leak Counter.get
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT
#define ON_GET                                                                       \
    uint32_t clock = host_birth("TimeBox");                                          \
    if (host_call("TimeBox", "now", clock, NO_ARGS) != NYASH_OK) return NYASH_E_PLUGIN; \
    host_fini("TimeBox", clock)
#include "counter.h"
