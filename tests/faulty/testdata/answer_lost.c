// want: answer-lost Counter.get
#include "host.h"
#define CONFIG BOX_TEXT "uses = ['TimeBox']\n" METHODS_TEXT
/* The answer may be longer than the buffer of host_call. */
#define ON_GET                                                                                                         \
    uint32_t clock = host_birth("TimeBox");                                                                            \
    host_call("TimeBox", "format", clock, (const uint8_t *)"\1\0\2\0\3\0\10\0\0\0\0\0\0\0\0\0\6\0\4\0002006", 24); \
    host_fini("TimeBox", clock)
#include "counter.h"
