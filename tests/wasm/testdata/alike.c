/* A module whose init fails with ANSWER. */
#include "nyash_plugin.h"

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host;
    (void)info;
    return ANSWER;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    (void)type_id, (void)method, (void)instance, (void)args, (void)args_len, (void)result, (void)result_len;
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {}
