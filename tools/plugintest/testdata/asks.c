/* AskBox, type 730, calls what it is asked to: ask(box, method, times) makes an instance of a
 * box of the host, calls a method of it so often, ends it, and answers what the last call was
 * answered. */
#include <stdbool.h>
#include <string.h>

#include "nyash_plugin.h"

#define NO_ARGS ((const uint8_t *)"\1\0\0\0"), 4

static const NyashHostCalls *calls;
static uint32_t last;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_connect(const NyashHostCalls *host) {
    calls = host;
    return NYASH_OK;
}

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    static const NyashMethodInfo methods[] = {{1, "ask", 0}, {2, "seven", 0}};
    (void)host;
    info->type_id = 730;
    info->type_name = "AskBox";
    info->method_count = 2;
    info->methods = methods;
    return NYASH_OK;
}

/* The text at *at, with a NUL behind it. */
static bool text(const uint8_t **at, const uint8_t *end, char *to, size_t room) {
    size_t size;
    if (end - *at < 4 || (*at)[0] != NYASH_TAG_STRING) return false;
    size = (*at)[2] | (size_t)(*at)[3] << 8;
    if ((size_t)(end - *at) < 4 + size || size >= room) return false;
    memcpy(to, *at + 4, size);
    to[size] = 0;
    *at += 4 + size;
    return true;
}

static int32_t ask(const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    const uint8_t *at = args + 4, *end = args + args_len;
    char box[64], method[64];
    uint32_t type_id, id, method_id, instance;
    uint8_t born[4];
    size_t length = sizeof born;
    int64_t times;
    int32_t code;
    if (args_len < 4 || !text(&at, end, box, sizeof box) || !text(&at, end, method, sizeof method)) return NYASH_E_INVALID_ARGS;
    if (end - at != 12 || at[0] != NYASH_TAG_I64) return NYASH_E_INVALID_ARGS;
    memcpy(&times, at + 4, 8);
    code = calls->resolve(box, "birth", &type_id, &method_id);
    if (code == NYASH_OK) code = calls->invoke(type_id, method_id, 0, NO_ARGS, born, &length);
    if (code != NYASH_OK) return code;
    memcpy(&instance, born, 4);
    code = calls->resolve(box, method, &type_id, &id);
    length = 0;
    for (; code == NYASH_OK && times > 0; times--) {
        length = *result_len;
        code = calls->invoke(type_id, id, instance, NO_ARGS, result, &length);
    }
    *result_len = length;
    length = 0;
    calls->invoke(type_id, NYASH_METHOD_FINI, instance, NO_ARGS, NULL, &length);
    return code;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *args, size_t args_len, uint8_t *result,
                            size_t *result_len) {
    static const uint8_t seven[] = {1, 0, 1, 0, NYASH_TAG_I64, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0};
    if (type_id != 730) return NYASH_E_INVALID_TYPE;
    switch (method_id) {
    case NYASH_METHOD_BIRTH:
        last++;
        memcpy(result, &last, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        *result_len = 0;
        return NYASH_OK;
    case 1:
        return ask(args, args_len, result, result_len);
    case 2:
        if (instance_id == 0 || *result_len < sizeof seven) return NYASH_E_INVALID_HANDLE;
        memcpy(result, seven, sizeof seven);
        *result_len = sizeof seven;
        return NYASH_OK;
    }
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {}
