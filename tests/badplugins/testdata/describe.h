/* A plugin that is loaded and describes itself as its DESCRIPTION says. */
#define OWN_INIT
#define OWN_INVOKE
#include "plugin.h"

#define METHODS(...) static const NyashMethodInfo methods[] = {__VA_ARGS__};

/* type_id, type_name, method_count, methods */
#define DESCRIPTION(...)                                                                \
    int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {        \
        (void)h;                                                                        \
        *info = (NyashPluginInfo){__VA_ARGS__};                                         \
        return NYASH_OK;                                                                \
    }

int32_t nyash_plugin_invoke(ARGS) {
    UNUSED_ARGS;
    return NYASH_OK;
}
