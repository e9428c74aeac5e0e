/* A plugin whose calls end in many ways. -DBATCH offers them in one crossing. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nyash_plugin.h"

/* As in batch_test.go. */
enum { ECHO = 1, FAIL, CRASH, OVERRUN, HOLD, RELEASE, COUNT, NOTHING, LIE, NAP };

static const NyashHostVtable *host;
static atomic_uint calls, holding, released;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    (void)info;
    host = vtable;
    return NYASH_OK;
}

static int32_t answer(uint8_t *result, size_t *result_len, unsigned n) {
    memcpy(result, &n, 4);
    *result_len = 4;
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    (void)type_id, (void)instance_id;
    unsigned before = atomic_fetch_add(&calls, method_id != COUNT);
    switch (method_id) {
    case ECHO:
        if (*result_len < args_len) {
            *result_len = args_len;
            return NYASH_E_SHORT_BUFFER;
        }
        memcpy(result, args, args_len);
        *result_len = args_len;
        return NYASH_OK;
    case FAIL:
        memcpy(result, "no", 2);
        *result_len = 2;
        return NYASH_E_INVALID_ARGS;
    case CRASH:
        abort();
    case OVERRUN:
        memset(result, 1, *result_len + 8);
        return NYASH_OK;
    case HOLD: /* until it is released */
        atomic_fetch_add(&holding, 1);
        host->log(NYASH_LOG_INFO, "holding");
        while (!atomic_load(&released)) usleep(100);
        atomic_fetch_sub(&holding, 1);
        return answer(result, result_len, before);
    case RELEASE:
        atomic_store(&released, 1);
        return answer(result, result_len, before);
    case COUNT:
        return answer(result, result_len, before);
    case NOTHING:
        return NYASH_OK;
    case LIE:
        *result_len = (size_t)-1;
        return NYASH_OK;
    case NAP:
        usleep(20000);
        return answer(result, result_len, before);
    }
    return NYASH_E_INVALID_METHOD;
}

#ifdef BATCH
NYASH_DEFINE_INVOKE_BATCH
#endif

void nyash_plugin_shutdown(void) {}
