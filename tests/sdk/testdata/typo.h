/* The host of typo.c and typo.cpp: prints what init logs and answers, then how a
 * birth with a Handle of Door itself fails, although init has. */
#include "nyash_plugin.h"

#include <stdio.h>

static void host_log(int32_t level, const char *msg) {
    if (level == NYASH_LOG_ERROR)
        puts(msg);
}

int main(void) {
    static const NyashHostVtable host = {NULL, NULL, NULL, host_log};
    static const uint8_t args[] = {1, 0, 1, 0, NYASH_TAG_HANDLE, 0, 8, 0, 2, 0, 0, 0, 1, 0, 0, 0};
    NyashPluginInfo info;
    uint8_t result[512];
    size_t size = sizeof result;
    printf("init: %d\n", (int)nyash_plugin_init(&host, &info));
    int32_t code = nyash_plugin_invoke(2, NYASH_METHOD_BIRTH, 0, args, sizeof args, result, &size);
    printf("birth: %d %.*s\n", (int)code, (int)size - 8, (const char *)result + 8);
    nyash_plugin_shutdown();
    return 0;
}
