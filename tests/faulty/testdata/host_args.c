// want: host-args Counter.get
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT
/* format takes an i64 and a string, and this is an i32 and a string */
#define ON_GET                                                                                              \
    uint32_t clock = host_birth("TimeBox");                                                                 \
    host_call("TimeBox", "format", clock, (const uint8_t *)"\1\0\2\0\2\0\4\0\0\0\0\0\6\0\4\0002006", 20); \
    host_fini("TimeBox", clock)
#include "counter.h"
