/* The work that every way of calling is measured with. Each library that is
 * made of this file has a type id of its own, which the program writes over the
 * one here. */
#include <string.h>

#include "nyash_plugin.h"

enum { ADD = 1, ECHO, LENGTH, ECHO_BLOB, LOOP };

static const volatile uint32_t type_id = 0xBE4C0001;
static const NyashHostVtable *host;
static uint32_t last_id;
static volatile int64_t turns; /* what keeps a loop from being left out */

static void put_entry(uint8_t *result, uint8_t tag, uint8_t size) {
    const uint8_t head[8] = {NYASH_TLV_VERSION, 0, 1, 0, tag, 0, size, 0};
    memcpy(result, head, sizeof head);
}

NYASH_EXPORT uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

NYASH_EXPORT int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    info->type_id = type_id;
    return NYASH_OK;
}

static inline __attribute__((always_inline)) int32_t work(uint32_t method, const uint8_t *args, size_t args_len,
                                                          uint8_t *result, size_t *result_len) {
    switch (method) {
    case NYASH_METHOD_BIRTH:
        last_id++;
        memcpy(result, &last_id, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        *result_len = 0;
        return NYASH_OK;
    case ADD: {
        int64_t a, b;
        if (args_len != 28 || args[4] != NYASH_TAG_I64 || args[16] != NYASH_TAG_I64) return NYASH_E_INVALID_ARGS;
        memcpy(&a, args + 8, 8);
        memcpy(&b, args + 20, 8);
        a += b;
        put_entry(result, NYASH_TAG_I64, 8);
        memcpy(result + 8, &a, 8);
        *result_len = 16;
        return NYASH_OK;
    }
    case ECHO:
        if (*result_len < args_len) {
            *result_len = args_len;
            return NYASH_E_SHORT_BUFFER;
        }
        memcpy(result, args, args_len);
        *result_len = args_len;
        return NYASH_OK;
    case LENGTH:
    case ECHO_BLOB: {
        uint64_t blob[2];
        if (args_len != 24 || args[4] != NYASH_TAG_BLOB) return NYASH_E_INVALID_ARGS;
        memcpy(blob, args + 8, 16);
        if (method == LENGTH) {
            put_entry(result, NYASH_TAG_I64, 8);
            memcpy(result + 8, &blob[1], 8);
            *result_len = 16;
            return NYASH_OK;
        }
        uint8_t *copy = host->alloc((size_t)blob[1]);
        if (copy == NULL) return NYASH_E_OUT_OF_MEMORY;
        memcpy(copy, (const void *)(uintptr_t)blob[0], (size_t)blob[1]);
        blob[0] = (uintptr_t)copy;
        put_entry(result, NYASH_TAG_BLOB, 16);
        memcpy(result + 8, blob, 16);
        *result_len = 24;
        return NYASH_OK;
    }
    case LOOP: {
        int64_t n;
        if (args_len != 16 || args[4] != NYASH_TAG_I64) return NYASH_E_INVALID_ARGS;
        memcpy(&n, args + 8, 8);
        for (int64_t i = 1; i <= n; i++) turns = i;
        n = turns;
        put_entry(result, NYASH_TAG_I64, 8);
        memcpy(result + 8, &n, 8);
        *result_len = 16;
        return NYASH_OK;
    }
    }
    return NYASH_E_INVALID_METHOD;
}

NYASH_EXPORT int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args,
                                         size_t args_len, uint8_t *result, size_t *result_len) {
    (void)instance;
    if (type != type_id) return NYASH_E_INVALID_TYPE;
    return work(method, args, args_len, result, result_len);
}

NYASH_DEFINE_INVOKE_BATCH

/* The same work as a box with a TypeBox table. */
static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result,
                         size_t *result_len) {
    (void)instance;
    return work(method, args, args_len, result, result_len);
}

extern NYASH_EXPORT const NyashTypeBox nyash_typebox_Table;
const NyashTypeBox nyash_typebox_Table = {NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof(NyashTypeBox), "Table", NULL, invoke_id, 0};

NYASH_EXPORT void nyash_plugin_shutdown(void) {}
