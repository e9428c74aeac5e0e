/* A library that calls its host wherever it can, and tells what came of it. */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "nyash_plugin.h"

#ifndef CONNECT_CODE
#define CONNECT_CODE 0
#endif
#ifndef INIT_CODE
#define INIT_CODE 0
#endif

static const NyashHostCalls *host;

/* Asks as who: the host sees it as the method id. 0 where it was answered with success. */
static int32_t ask(uint32_t who) {
    size_t length = 0;
    return host->invoke(1, who, 0, NULL, 0, NULL, &length);
}

enum { IN_CONNECT = 101, IN_INIT, IN_SHUTDOWN, IN_INVOKE, IN_TABLE, IN_RESOLVE, ON_THREAD };

NYASH_EXPORT uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

#ifdef CONFIG
NYASH_EXPORT const char *nyash_plugin_config(void) { return "[plugins.Conn]\n"; }
#endif

#ifndef NO_CONNECT
NYASH_EXPORT int32_t nyash_plugin_connect(const NyashHostCalls *h) {
    if (h == NULL || h->struct_size < sizeof *h || h->version != NYASH_HOST_CALLS_VERSION) return 99;
    host = h;
    (void)ask(IN_CONNECT);
    return CONNECT_CODE;
}
#endif

NYASH_EXPORT int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    (void)vtable;
    (void)info;
    if (host != NULL) (void)ask(IN_INIT);
#ifdef BAD_INFO
    info->method_count = 3;
#endif
    return INIT_CODE;
}

static pthread_t left;
static bool has_left;
static int32_t left_code;

/* Asks until it is told that the library is closed. */
static void *stay_behind(void *unused) {
    do left_code = ask(ON_THREAD);
    while (left_code == 0);
    return unused;
}

/* What the thread that method 3 started was told, when it ends. */
NYASH_EXPORT int32_t last_answer(void) {
    if (!has_left || pthread_join(left, NULL) != 0) return 1000;
    return left_code;
}

static void *ask_on_thread(void *code) {
    *(int32_t *)code = ask(ON_THREAD);
    return NULL;
}

static int32_t call(uint32_t method, uint32_t who) {
    pthread_t id;
    int32_t code = 0;
    switch (method) {
    case 1:
        return ask(who);
    case 2:
        if (pthread_create(&id, NULL, ask_on_thread, &code) != 0 || pthread_join(id, NULL) != 0) return 1000;
        return code;
    case 3:
        has_left = pthread_create(&left, NULL, stay_behind, NULL) == 0;
        return has_left ? 0 : 1000;
    }
    return NYASH_E_INVALID_METHOD;
}

NYASH_EXPORT int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id,
                                         const uint8_t *args, size_t args_len, uint8_t *result,
                                         size_t *result_len) {
    (void)type_id, (void)instance_id, (void)args, (void)args_len, (void)result;
    *result_len = 0;
    return call(method_id, IN_INVOKE);
}

NYASH_DEFINE_INVOKE_BATCH

NYASH_EXPORT void nyash_plugin_shutdown(void) {
    if (host != NULL) (void)ask(IN_SHUTDOWN);
}

#ifdef TABLE
static uint32_t table_resolve(const char *method) {
    uint32_t ids[2];
    return strcmp(method, "ask") == 0 && host->resolve("Any", method, &ids[0], &ids[1]) == 0 ? 1 : 0;
}

static int32_t table_invoke(uint32_t instance_id, uint32_t method_id, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    (void)instance_id, (void)args, (void)args_len, (void)result;
    *result_len = 0;
    return call(method_id, IN_TABLE);
}

NYASH_EXPORT const NyashTypeBox nyash_typebox_Conn = {
    .abi_tag = NYASH_TYPEBOX_TAG, .version = NYASH_TYPEBOX_VERSION, .struct_size = sizeof(NyashTypeBox),
    .name = "Conn", .resolve = table_resolve, .invoke_id = table_invoke};
#endif
