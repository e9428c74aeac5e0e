#define OWN_INVOKE
#include "plugin.h"
extern int nobody_defines_this(void);
int32_t nyash_plugin_invoke(ARGS) { UNUSED_ARGS; return nobody_defines_this(); }
