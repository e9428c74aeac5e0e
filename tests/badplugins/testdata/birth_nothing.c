#define OWN_INVOKE
#include "plugin.h"
int32_t nyash_plugin_invoke(ARGS) {
    UNUSED_ARGS;
    if (method != NYASH_METHOD_BIRTH) abort();
    return NYASH_OK;
}
