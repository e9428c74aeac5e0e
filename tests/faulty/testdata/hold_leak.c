// want: hold-leak Counter.poke
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT
#define ON_POKE host_call("TimeBox", "now", host_birth("TimeBox"), NO_ARGS)
#include "counter.h"
