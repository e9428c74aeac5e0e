#include "plugin.h"
static int32_t fault(uint8_t *result, size_t *result_len) {
    (void)result;
    memset(result, 7, *result_len + 1);
    return NYASH_OK;
}
