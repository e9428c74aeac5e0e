// want: uses-missing Counter.poke
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT
#define ON_POKE host_fini("ConsoleBox", host_birth("ConsoleBox"))
#include "counter.h"
