/* Not a fault of the host: tracking finds the block. */
#include "plugin.h"
static int32_t fault(uint8_t *result, size_t *result_len) {
    (void)result, (void)result_len;
    return host->alloc(123) == NULL ? NYASH_E_OUT_OF_MEMORY : NYASH_OK;
}
