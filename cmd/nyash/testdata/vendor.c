/* A box that more than one vendor calls Counter, with one type id. VENDOR is which it is. FORM is how
 * the library describes it: 0 by init, 1 by its text, 2 by a TypeBox table. */
#include <stdbool.h>
#include <string.h>
#include "nyash_plugin.h"

enum { TYPE = 710, VENDOR_OF = 1, ME = 2, OWN = 3 };

static uint32_t born;

static int32_t answer(uint8_t *result, size_t *len, uint8_t tag, const void *data, uint16_t size) {
    size_t need = 8u + size;
    if (!result || *len < need) {
        *len = need;
        return NYASH_E_SHORT_BUFFER;
    }
    memcpy(result, (uint8_t[]){1, 0, 1, 0, tag, 0, (uint8_t)size, (uint8_t)(size >> 8)}, 8);
    memcpy(result + 8, data, size);
    *len = need;
    return NYASH_OK;
}

static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *len) {
    switch (method) {
    case NYASH_METHOD_BIRTH:
        if (!result || *len < 4) {
            *len = 4;
            return NYASH_E_SHORT_BUFFER;
        }
        born++;
        memcpy(result, &born, 4);
        *len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        *len = 0;
        return NYASH_OK;
    case VENDOR_OF:
        return answer(result, len, NYASH_TAG_STRING, VENDOR, sizeof VENDOR - 1);
    case ME:
        return answer(result, len, NYASH_TAG_HANDLE, (uint32_t[]){TYPE, instance}, 8);
    case OWN: { /* whether a box is this vendor's: of other libraries, the host makes up the type ids */
        uint32_t type;
        if (args_len != 16 || args[4] != NYASH_TAG_HANDLE) return NYASH_E_INVALID_ARGS;
        memcpy(&type, args + 8, 4);
        return answer(result, len, NYASH_TAG_BOOL, (bool[]){type == TYPE}, 1);
    }
    }
    return NYASH_E_INVALID_METHOD;
}

#if FORM == 2
static uint32_t resolve(const char *name) {
    if (strcmp(name, "vendor") == 0) return VENDOR_OF;
    if (strcmp(name, "me") == 0) return ME;
    return strcmp(name, "own") == 0 ? OWN : 0;
}
NYASH_EXPORT const NyashTypeBox nyash_typebox_Counter = {
    NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof(NyashTypeBox), "Counter", resolve, invoke_id, 0};
#else
uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    static const NyashMethodInfo methods[] = {{VENDOR_OF, "vendor", 0}, {ME, "me", 0}, {OWN, "own", 0}};
    (void)host;
    info->type_id = TYPE;
    info->type_name = "Counter";
    info->methods = methods;
    info->method_count = sizeof methods / sizeof *methods;
    return NYASH_OK;
}

#if FORM == 1
const char *nyash_plugin_config(void) {
    return "[plugins.Counter]\ntype_id = 710\ndoc = \"Of " VENDOR ".\"\n[plugins.Counter.methods]\n"
           "vendor = { method_id = 1, args = [], returns = \"string\" }\n"
           "me = { method_id = 2, args = [], returns = \"Counter\" }\n"
           "own = { method_id = 3, args = [ { name = \"other\", from = \"box\", to = \"handle\" } ], returns = \"bool\" }\n";
}
#endif

int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len, uint8_t *result, size_t *len) {
    return type == TYPE ? invoke_id(instance, method, args, args_len, result, len) : NYASH_E_INVALID_TYPE;
}

void nyash_plugin_shutdown(void) {}
#endif
