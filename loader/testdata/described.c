/* A counter that describes itself. The build defines TEXT, what nyash_plugin_config
 * returns, and may define NAME, TYPE, SIGNATURE and METHODS: what init says. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

#ifndef TYPE
#define TYPE 0
#endif
#ifndef NAME
#define NAME NULL
#endif
#ifndef SIGNATURE
#define SIGNATURE 0
#endif

static const NyashHostVtable *host;
static pthread_t born_on;
static int64_t total;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

const char *nyash_plugin_config(void)
{
#ifdef CRASH
    abort();
#endif
#ifdef HANG
    for (;;) pthread_testcancel();
#endif
#ifdef LONG
    static char text[(1 << 20) + 2];
    memset(text, '#', sizeof text - 1);
    return text;
#endif
    return TEXT;
}

int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info)
{
    static const NyashMethodInfo methods[] = {{1, "add", SIGNATURE}, {9, "undescribed", 0}};
    host = h;
    born_on = pthread_self();
    info->type_id = TYPE;
    info->type_name = NAME;
#ifdef METHODS
    info->method_count = METHODS;
    info->methods = methods;
#else
    (void)methods;
#endif
    return NYASH_OK;
}

static int32_t i64(int64_t n, uint8_t *result, size_t *result_len)
{
    const uint8_t head[] = {1, 0, 1, 0, NYASH_TAG_I64, 0, 8, 0};
    if (*result_len < 16) {
        *result_len = 16;
        return NYASH_E_SHORT_BUFFER;
    }
    memcpy(result, head, 8);
    memcpy(result + 8, &n, 8);
    *result_len = 16;
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len)
{
    int64_t n;
    (void)instance;
    switch (method) {
    case NYASH_METHOD_BIRTH:
        memcpy(result, (uint32_t[]){type}, 4);
        *result_len = 4;
        return NYASH_OK;
    case 1: /* add(i64) */
        if (args_len != 16 || args[4] != NYASH_TAG_I64) return NYASH_E_INVALID_ARGS;
        memcpy(&n, args + 8, 8);
        return i64(total += n, result, result_len);
    case 2: /* pinned() */
        return i64(pthread_equal(born_on, pthread_self()) != 0, result, result_len);
    case 3: { /* lines() blob */
        uint8_t entry[] = {1, 0, 1, 0, NYASH_TAG_BLOB, 0, 16, 0};
        uint64_t blob[2] = {0, 5};
        uint8_t *data = host->alloc(5);
        memcpy(data, "hello", 5);
        blob[0] = (uintptr_t)data;
        memcpy(result, entry, 8);
        memcpy(result + 8, blob, 16);
        *result_len = 24;
        return NYASH_OK;
    }
    case 4: { /* other() OtherBox */
        const uint8_t handle[] = {1, 0, 1, 0, NYASH_TAG_HANDLE, 0, 8, 0, 8, 0, 0, 0, 77, 0, 0, 0};
        memcpy(result, handle, sizeof handle);
        *result_len = sizeof handle;
        return NYASH_OK;
    }
    case 9:
        return i64((int64_t)args_len, result, result_len);
    case NYASH_METHOD_FINI:
        return NYASH_OK;
    }
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {}
