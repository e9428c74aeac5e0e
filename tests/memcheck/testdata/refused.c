/* Asks for more memory than there is, and takes the refusal well. */
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

static volatile size_t most = (size_t)-1;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host;
    info->type_id = 991;
    info->type_name = "Refused";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id,
                            const uint8_t *args, size_t args_len, uint8_t *result,
                            size_t *result_len) {
    (void)type_id, (void)instance_id, (void)args, (void)args_len;
    if (method_id == NYASH_METHOD_BIRTH) {
        memcpy(result, "\1\0\0\0", 4);
        *result_len = 4;
        return NYASH_OK;
    }
    if (method_id == 1) {
        void *volatile block = malloc(most);
        if (block == NULL) return NYASH_E_OUT_OF_MEMORY;
        free(block);
    }
    *result_len = 0;
    return NYASH_OK;
}

void nyash_plugin_shutdown(void) {}
