#include "plugin.h"
static int32_t fault(uint8_t *result, size_t *result_len) {
    (void)result;
    memcpy(result, "hello", 5);
    *result_len = 5;
    return NYASH_OK;
}
