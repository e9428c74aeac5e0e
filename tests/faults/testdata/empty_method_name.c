#define OWN_INIT
#define OWN_INVOKE
#include "plugin.h"
static const NyashMethodInfo methods[] = {{1, "", 0}};
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
    (void)h;
    *info = (NyashPluginInfo){900, "Fault", 1, methods};
    return NYASH_OK;
}
int32_t nyash_plugin_invoke(ARGS) { UNUSED_ARGS; return NYASH_OK; }
