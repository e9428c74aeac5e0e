/* A module with one function that takes long to compile. */
#include "nyash_plugin.h"

#define TIMES8(x) x x x x x x x x
#define STEP a += (a >> 3) ^ b; b -= a;

static volatile uint64_t start = 1;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

static uint64_t large(uint64_t a, uint64_t b) {
    TIMES8(TIMES8(TIMES8(STEP STEP)))
    return a;
}

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host;
    info->type_id = 7;
    info->type_name = "Module";
    return large(start, 2) == 12345 ? NYASH_E_PLUGIN : NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    (void)type_id, (void)method, (void)instance, (void)args, (void)args_len, (void)result, (void)result_len;
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {}
