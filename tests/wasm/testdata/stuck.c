/* Box Module, type 7, of a module that does not come back: from free once add was called, or
 * from shutdown. */
#include <stdlib.h>

static volatile int in_free, in_shutdown, turns;

static void stuck_free(void *ptr) {
    while (in_free) turns++;
    free(ptr);
}
#define free stuck_free /* for nyash_free, which the header defines */

#include "answer.h"
#include "nyash_plugin.h"

static uint32_t last_id;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    static const NyashMethodInfo methods[] = {{1, "add", 0}, {11, "length", 0}};
    (void)host;
#ifdef STUCK_SHUTDOWN
    in_shutdown = 1;
#endif
    info->type_id = 7;
    info->type_name = "Module";
    info->method_count = 2;
    info->methods = methods;
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    (void)type_id, (void)instance, (void)args, (void)args_len;
    switch (method) {
    case NYASH_METHOD_BIRTH:
        memcpy(result, &(uint32_t){++last_id}, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI: *result_len = 0; return NYASH_OK;
    case 1: in_free = 1; return answer_i64(result, result_len, 0);
    case 11: return answer_i64(result, result_len, 0);
    }
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {
    while (in_shutdown) turns++;
}
