/* Calls of the host for the plugins beside this one, without an SDK. What may go wrong is
 * answered with an error by those that have no fault. */
#include <stdint.h>
#include <string.h>

#include "nyash_plugin.h"

static const NyashHostCalls *calls;

#ifndef CONNECTED
#define CONNECTED(host) (void)(host)
#endif

int32_t nyash_plugin_connect(const NyashHostCalls *host) {
    if (host->version != NYASH_HOST_CALLS_VERSION || host->struct_size < sizeof *host) return NYASH_E_VERSION;
    calls = host;
    CONNECTED(host);
    return NYASH_OK;
}

#define NO_ARGS ((const uint8_t *)"\1\0\0\0"), 4

/* Makes an instance; 0 where that fails. */
__attribute__((unused)) static uint32_t host_birth(const char *box) {
    uint32_t type_id, method_id, id;
    uint8_t result[64];
    size_t length = sizeof result;
    if (calls->resolve(box, "birth", &type_id, &method_id) != NYASH_OK) return 0;
    if (calls->invoke(type_id, method_id, 0, NO_ARGS, result, &length) != NYASH_OK || length != 4) return 0;
    memcpy(&id, result, 4);
    return id;
}

/* Calls a method of an instance, and returns the code. */
__attribute__((unused)) static int32_t host_call(const char *box, const char *method, uint32_t instance, const uint8_t *args, size_t size) {
    uint32_t type_id, method_id;
    uint8_t result[1024] = {0};
    size_t length = sizeof result;
    int32_t code = calls->resolve(box, method, &type_id, &method_id);
    if (code != NYASH_OK) return code;
    return calls->invoke(type_id, method_id, instance, args, size, result, &length);
}

__attribute__((unused)) static void host_fini(const char *box, uint32_t instance) { host_call(box, "fini", instance, NO_ARGS); }
