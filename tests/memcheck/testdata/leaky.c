/* Loses 77 bytes at each birth and writes past the end of a block in poke. */
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

static void *volatile lost;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host;
    info->type_id = 990;
    info->type_name = "Leaky";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id,
                            const uint8_t *args, size_t args_len, uint8_t *result,
                            size_t *result_len) {
    (void)type_id, (void)instance_id, (void)args, (void)args_len;
    if (method_id == NYASH_METHOD_BIRTH) {
        lost = malloc(77);
        memcpy(result, "\1\0\0\0", 4);
        *result_len = 4;
    }
    if (method_id == 1) {
        volatile char *small = malloc(8);
        if (small == NULL) return NYASH_E_OUT_OF_MEMORY;
        small[8] = 1;
        free((void *)small);
    }
    return NYASH_OK;
}

void nyash_plugin_shutdown(void) { lost = NULL; }
