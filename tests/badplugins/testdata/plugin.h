/* The parts of a plugin that a fault does not concern. A test plugin defines
 * what is wrong with it and takes the rest from here. Box Fault, type 900. */
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

__attribute__((unused)) static const NyashHostVtable *host;

#ifndef OWN_ABI
uint32_t nyash_plugin_abi(void) { return 1; }
#endif

#ifndef OWN_INIT
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
    host = h;
    info->type_id = 900;
    info->type_name = "Fault";
    return NYASH_OK;
}
#endif

#define ARGS                                                                            \
    uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args,          \
        size_t args_len, uint8_t *result, size_t *result_len
#define UNUSED_ARGS                                                                     \
    (void)type_id, (void)method, (void)instance, (void)args, (void)args_len, (void)result, \
        (void)result_len

/* Answers birth with instance 1. */
__attribute__((unused)) static int32_t born(uint8_t *result, size_t *result_len) {
    memcpy(result, "\1\0\0\0", 4);
    *result_len = 4;
    return NYASH_OK;
}

#ifndef OWN_INVOKE
/* Method 1 does what the fault is. */
static int32_t fault(uint8_t *result, size_t *result_len);
int32_t nyash_plugin_invoke(ARGS) {
    UNUSED_ARGS;
    if (method == NYASH_METHOD_BIRTH) return born(result, result_len);
    if (method == 1) return fault(result, result_len);
    return NYASH_OK;
}
#endif

#ifndef OWN_SHUTDOWN
void nyash_plugin_shutdown(void) {}
#endif
