/* Nothing is wrong with it: run answers 42. Box Good, type 901. */
#define OWN_INIT
#include "plugin.h"
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
    (void)h;
    info->type_id = 901;
    info->type_name = "Good";
    return NYASH_OK;
}
static int32_t fault(uint8_t *result, size_t *result_len) {
    memcpy(result, "\1\0\1\0\2\0\4\0\52\0\0\0", 12);
    *result_len = 12;
    return NYASH_OK;
}
