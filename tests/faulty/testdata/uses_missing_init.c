// want: uses-missing-load init
// toml
#include "host.h"
#define ON_INIT \
    if (host_birth("ConsoleBox") == 0) return NYASH_E_PLUGIN
#include "counter.h"
