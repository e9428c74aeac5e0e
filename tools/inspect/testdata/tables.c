/* Tables of two boxes, which know the ids of some methods. */
#include <string.h>

#include "nyash_plugin.h"

static uint32_t resolve(const char *name)
{
    static const char *const names[] = {"birth", "text", "pad", "setAll"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

static int32_t invoke_id(uint32_t instance_id, uint32_t method_id, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len)
{
    (void)instance_id, (void)method_id, (void)args, (void)args_len, (void)result, (void)result_len;
    return NYASH_E_INVALID_METHOD;
}

#define TABLE(box) \
    extern NYASH_EXPORT const NyashTypeBox nyash_typebox_##box; \
    const NyashTypeBox nyash_typebox_##box = {NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof(NyashTypeBox), #box, resolve, invoke_id, 0};

TABLE(TextBox)
TABLE(PairBox)
