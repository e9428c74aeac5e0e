/* Takes memory, gives it back and fails; must not be shut down. */
#define OWN_INIT
#define OWN_INVOKE
#define OWN_SHUTDOWN
#include "plugin.h"
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
    (void)info;
    h->free(h->alloc(100));
    h->log(NYASH_LOG_ERROR, "no licence");
    return NYASH_E_PLUGIN;
}
int32_t nyash_plugin_invoke(ARGS) { UNUSED_ARGS; abort(); }
void nyash_plugin_shutdown(void) { abort(); }
