// want: hold-used-after-end Counter.get
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT
#define ON_GET                            \
    uint32_t clock = host_birth("TimeBox"); \
    host_fini("TimeBox", clock);            \
    host_call("TimeBox", "now", clock, NO_ARGS)
#include "counter.h"
