#include "_cgo_export.h"
#include "nyash_plugin.h"

/* Asks the host n times through a function like NyashHostCalls.invoke. */
static int32_t ask(int32_t (*invoke)(uint32_t, uint32_t, uint32_t, const uint8_t *, size_t, uint8_t *, size_t *), int n) {
    uint8_t args[16] = {1}, result[64];
    int32_t bad = 0;
    for (int i = 0; i < n; i++) {
        size_t result_len = sizeof result;
        bad |= invoke(1, 2, 3, args, sizeof args, result, &result_len);
    }
    return bad;
}

int32_t ask_host(uintptr_t host, int n) { return ask(((const NyashHostCalls *)host)->invoke, n); }

int32_t ask_function(uintptr_t invoke, int n) {
    return ask((int32_t(*)(uint32_t, uint32_t, uint32_t, const uint8_t *, size_t, uint8_t *, size_t *))invoke, n);
}

static int32_t exported(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                        uint8_t *result, size_t *result_len) {
    return benchInvoke(type, method, instance, (uintptr_t)args, args_len, (uintptr_t)result, (uintptr_t)result_len);
}

int32_t ask_cgo(int n) { return ask(exported, n); }
