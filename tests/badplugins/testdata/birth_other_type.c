#define OWN_INVOKE
#include "plugin.h"
int32_t nyash_plugin_invoke(ARGS) {
    UNUSED_ARGS;
    if (method != NYASH_METHOD_BIRTH) abort();
    memcpy(result, "\1\0\1\0\10\0\10\0\77\0\0\0\1\0\0\0", 16);
    *result_len = 16;
    return NYASH_OK;
}
