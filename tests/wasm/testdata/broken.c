/* Modules with one fault each: FAULT is its number. */
#include "nyash_plugin.h"

#define NO_SHUTDOWN 1
#define WRONG_TYPE 2
#define UNKNOWN_IMPORT 3
#define WRONG_IMPORT 4
#define LOOPS_AT_START 5
#define TRAPS_AT_START 6
#define OLD_ABI 7
#define REFUSES 8
#define NO_INVOKE 9
#define LOOPS_IN_INIT 10
#define NAME_OUTSIDE 11
#define METHODS_OUTSIDE 12
#define MANY_METHODS 13
#define PRINTS_AT_START 14

#if FAULT == UNKNOWN_IMPORT
__attribute__((import_module("env"), import_name("launch"))) void launch(void);
#elif FAULT == WRONG_IMPORT
__attribute__((import_module("nyash"), import_name("log"))) int64_t launch(void);
#endif

static volatile int turns;

#if FAULT == LOOPS_AT_START || FAULT == TRAPS_AT_START || FAULT == PRINTS_AT_START
__attribute__((constructor)) static void start(void) {
#if FAULT == LOOPS_AT_START
    for (;;) turns++;
#elif FAULT == TRAPS_AT_START
    __builtin_trap();
#else
    nyash_wasm_log(NYASH_LOG_INFO, "from a constructor");
#endif
}
#endif

#if FAULT == WRONG_TYPE
__attribute__((export_name("nyash_plugin_abi"))) uint64_t other_abi(void) { return 1; }
#else
uint32_t nyash_plugin_abi(void) { return FAULT == OLD_ABI ? 7 : NYASH_ABI_VERSION; }
#endif

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    static const NyashMethodInfo outside[] = {{1, (const char *)(uintptr_t)0xffffff00, 0}};
    (void)host;
    info->type_id = 7;
    info->type_name = "Module";
    if (FAULT == NAME_OUTSIDE) info->type_name = (const char *)(uintptr_t)0xfffffffe;
    if (FAULT == METHODS_OUTSIDE) info->method_count = 1, info->methods = outside;
    if (FAULT == MANY_METHODS) info->method_count = 65536, info->methods = (const NyashMethodInfo *)(uintptr_t)0xfffffff0;
    while (FAULT == LOOPS_IN_INIT) turns++;
#if FAULT == UNKNOWN_IMPORT || FAULT == WRONG_IMPORT
    launch();
#endif
    return FAULT == REFUSES ? NYASH_E_PLUGIN : NYASH_OK;
}

#if FAULT != NO_INVOKE
int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    (void)type_id, (void)method, (void)instance, (void)args, (void)args_len, (void)result;
    *result_len = 0;
    return NYASH_OK;
}
#endif

#if FAULT != NO_SHUTDOWN
void nyash_plugin_shutdown(void) {}
#endif
