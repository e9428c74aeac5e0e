/* init gives a method the signature of an older declaration. */
// want: config-signature Counter.add
#define CONFIG BOX_TEXT METHODS_TEXT
#define DESCRIBE                                                                                              \
    static const NyashMethodInfo methods[] = {{ADD, "add", 0xbadc0de}, {GET, "get", 0}, {ECHO, "echo", 0},    \
                                              {POKE, "poke", 0}, {SET, "set", 0}, {FAIL, "fail", 0}};
#include "counter.h"
