/* A good TypeBox table, and a nyash_box.toml whose type_id is no number. */
// want: manifest-invalid Counter
// manifest: [provides]
// manifest: boxes = ["Counter"]
// manifest: [Counter]
// manifest: type_id = "710"
// wasm: nothing: modules have no tables
#include "counter.h"

static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    return nyash_plugin_invoke(TYPE_ID, method, instance, args, args_len, result, result_len);
}

extern NYASH_EXPORT const NyashTypeBox nyash_typebox_Counter;
const NyashTypeBox nyash_typebox_Counter = {NYASH_TYPEBOX_TAG, 1, sizeof(NyashTypeBox), "Counter", NULL, invoke_id, 0};
