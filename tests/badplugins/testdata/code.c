/* Answers with the code that its argument says. */
#define OWN_INVOKE
#include "plugin.h"
int32_t nyash_plugin_invoke(ARGS) {
    UNUSED_ARGS;
    if (method == NYASH_METHOD_BIRTH) return born(result, result_len);
    if (method != 1) return NYASH_OK;
    int32_t code;
    memcpy(&code, args + 8, 4);
    return code;
}
