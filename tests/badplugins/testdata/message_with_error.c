#include "plugin.h"
static int32_t fault(uint8_t *result, size_t *result_len) {
    (void)result;
    static const char tlv[] = "\1\0\1\0\6\0\14\0out of paper";
    memcpy(result, tlv, sizeof tlv - 1);
    *result_len = sizeof tlv - 1;
    host->log(NYASH_LOG_WARN, "tray 2 is empty");
    return NYASH_E_PLUGIN;
}
