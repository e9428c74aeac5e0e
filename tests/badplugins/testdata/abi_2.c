/* Must not be initialised: a host that does is killed. */
#define OWN_ABI
#define OWN_INIT
#define OWN_INVOKE
#include "plugin.h"
uint32_t nyash_plugin_abi(void) { return 2; }
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) { (void)h, (void)info; abort(); }
int32_t nyash_plugin_invoke(ARGS) { UNUSED_ARGS; abort(); }
