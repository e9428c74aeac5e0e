/* A WebAssembly module that describes itself. The build defines TEXT, what
 * nyash_plugin_config returns, and may define CONFIG, CONNECT, INIT or FILES. */
#include <stdio.h>
#include <stdlib.h>

#include "nyash_plugin.h"

#ifndef INIT
#define INIT 0
#endif

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

const char *nyash_plugin_config(void)
{
#ifdef CONFIG
    CONFIG;
#endif
    return TEXT;
}

#ifdef CONNECT
int32_t nyash_plugin_connect(const NyashHostCalls *host)
{
    return host->version == NYASH_HOST_CALLS_VERSION ? NYASH_OK : NYASH_E_PLUGIN;
}
#endif

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info)
{
    (void)info;
    host->log(NYASH_LOG_INFO, "hello \x1b[2J");
    return INIT;
}

int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len)
{
    (void)type, (void)instance, (void)args, (void)args_len, (void)result, (void)result_len;
#ifdef FILES
    if (method == 1) fclose(fopen("x", "r"));
#endif
    return method == NYASH_METHOD_FINI ? NYASH_OK : NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {}
