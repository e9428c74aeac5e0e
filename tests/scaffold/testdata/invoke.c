/* Makes an instance of type 1 of a library and calls its method 10 with each
 * message that comes in, a line of hex digits each. Prints code and message of
 * each answer. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

static uint8_t *host_alloc(size_t n) { return malloc(n); }
static void host_free(uint8_t *p) { free(p); }
static void host_wake(uint64_t n) { (void)n; }
static void host_log(int32_t level, const char *text) { fprintf(stderr, "%d %s\n", (int)level, text); }

typedef int32_t (*Init)(const NyashHostVtable *, NyashPluginInfo *);
typedef int32_t (*Invoke)(uint32_t, uint32_t, uint32_t, const uint8_t *, size_t, uint8_t *, size_t *);

int main(int argc, char **argv) {
    static const NyashHostVtable host = {host_alloc, host_free, host_wake, host_log};
    static const uint8_t none[] = {1, 0, 0, 0};
    static char line[1 << 21];
    static uint8_t message[1 << 20], result[4096];
    NyashPluginInfo info = {0, NULL, 0, NULL};
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    size_t size = sizeof result;
    uint32_t id;
    Init init;
    Invoke invoke;

    if (library == NULL)
        return 2;
    *(void **)&init = dlsym(library, "nyash_plugin_init");
    *(void **)&invoke = dlsym(library, "nyash_plugin_invoke");
    if (init == NULL || invoke == NULL || init(&host, &info) != 0 ||
        invoke(1, NYASH_METHOD_BIRTH, 0, none, sizeof none, result, &size) != 0)
        return 3;
    memcpy(&id, result, sizeof id);
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t n = strcspn(line, "\n") / 2;
        uint8_t *exact;
        int32_t code;
        for (size_t i = 0; i < n; i++) {
            unsigned byte;
            if (sscanf(line + 2 * i, "%2x", &byte) != 1)
                return 4;
            message[i] = (uint8_t)byte;
        }
        exact = malloc(n > 0 ? n : 1);
        memcpy(exact, message, n);
        size = sizeof result;
        code = invoke(1, 10, id, exact, n, result, &size);
        free(exact);
        if (code == 0)
            printf("0\n");
        else
            printf("%d %.*s\n", (int)code, size >= 8 && size <= sizeof result ? (int)size - 8 : 0, (const char *)result + 8);
    }
    return 0;
}
