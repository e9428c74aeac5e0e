#include "plugin.h"
static int32_t fault(uint8_t *result, size_t *result_len) {
    (void)result;
    memcpy(result, "junk", 4);
    *result_len = 4;
    return NYASH_E_INVALID_ARGS;
}
