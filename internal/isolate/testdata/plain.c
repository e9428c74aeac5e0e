/* A plugin that answers each call with what it was given. */
#include <string.h>

#include "nyash_plugin.h"

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host, (void)info;
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    (void)type_id, (void)method_id, (void)instance_id;
    if (*result_len < args_len) {
        *result_len = args_len;
        return NYASH_E_SHORT_BUFFER;
    }
    if (args_len != 0) memcpy(result, args, args_len);
    *result_len = args_len;
    return NYASH_OK;
}

#ifdef BATCH
NYASH_DEFINE_INVOKE_BATCH
#endif

void nyash_plugin_shutdown(void) {}
