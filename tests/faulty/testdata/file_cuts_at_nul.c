/* A box of files that takes bytes for text: what it reads ends at the first NUL. */
// want: io-wrong Notes.read
// may: malformed-accepted Notes.open
// wasm: no module: it uses pthread.h, which Debian's wasi-libc lacks
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

enum { OPEN = 1, READ, WRITE, CLOSE, MOST = 4096 };

static FILE *files[MOST];
static bool alive[MOST];
static uint32_t last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    static const NyashMethodInfo methods[] = {{OPEN, "open", 0}, {READ, "read", 0}, {WRITE, "write", 0}, {CLOSE, "close", 0}};
    (void)host;
    info->type_id = 720;
    info->type_name = "Notes";
    info->method_count = 4;
    info->methods = methods;
    return NYASH_OK;
}

/* The entries of a message as strings of their own; false if they are not these. */
static bool strings(const uint8_t *args, size_t n, int tag, int count, char **out, size_t *sizes) {
    size_t at = 4;
    if (n < 4 || args[0] != 1 || args[1] != 0 || args[2] != count || args[3] != 0) return false;
    for (int i = 0; i < count; i++) {
        size_t size;
        if (n - at < 4 || args[at] != tag || args[at + 1] != 0) return false;
        size = args[at + 2] | (size_t)args[at + 3] << 8;
        if (n - at - 4 < size) return false;
        out[i] = malloc(size + 1);
        if (out[i] == NULL) return false;
        memcpy(out[i], args + at + 4, size);
        out[i][size] = 0;
        sizes[i] = size;
        at += 4 + size;
    }
    return at == n;
}

static int32_t open_file(uint32_t id, char **words, const size_t *sizes) {
    if (strlen(words[0]) != sizes[0] || strlen(words[1]) != sizes[1] || sizes[0] == 0) return NYASH_E_INVALID_ARGS;
    for (size_t i = 0; i < sizes[0]; i++)
        if ((uint8_t)words[0][i] == 0xff) return NYASH_E_INVALID_UTF8;
    if (strcmp(words[1], "r") != 0 && strcmp(words[1], "w") != 0) return NYASH_E_INVALID_ARGS;
    if (files[id] != NULL) fclose(files[id]);
    files[id] = fopen(words[0], words[1][0] == 'r' ? "re" : "we");
    if (files[id] == NULL) return NYASH_E_PLUGIN;
    return NYASH_OK;
}

static int32_t read_file(uint32_t id, uint8_t *result, size_t *length) {
    static char text[65536];
    size_t n, room = *length;
    long at;
    if (files[id] == NULL) return NYASH_E_PLUGIN;
    at = ftell(files[id]);
    n = fread(text, 1, sizeof text - 1, files[id]);
    text[n] = 0;
    n = strlen(text); /* the fault */
    if (room < 8 + n) {
        fseek(files[id], at, SEEK_SET);
        *length = 8 + n;
        return NYASH_E_SHORT_BUFFER;
    }
    memcpy(result, "\1\0\1\0\7\0", 6);
    result[6] = (uint8_t)n;
    result[7] = (uint8_t)(n >> 8);
    memcpy(result + 8, text, n);
    *length = 8 + n;
    return NYASH_OK;
}

static int32_t call(uint32_t method, uint32_t id, const uint8_t *args, size_t n, uint8_t *result, size_t *length) {
    char *words[2] = {NULL, NULL};
    size_t sizes[2];
    int32_t code = NYASH_E_INVALID_ARGS;
    if (method == NYASH_METHOD_BIRTH) {
        if (*length < 4) {
            *length = 4;
            return NYASH_E_SHORT_BUFFER;
        }
        if (last + 1 >= MOST) return NYASH_E_OUT_OF_MEMORY;
        alive[++last] = true;
        memcpy(result, &last, 4);
        *length = 4;
        return NYASH_OK;
    }
    if (method != NYASH_METHOD_FINI && (method < OPEN || method > CLOSE)) return NYASH_E_INVALID_METHOD;
    if (id == 0 || id > last || !alive[id]) return NYASH_E_INVALID_HANDLE;
    switch (method) {
    case READ:
        return strings(args, n, 0, 0, words, sizes) ? read_file(id, result, length) : code;
    case OPEN:
        if (strings(args, n, NYASH_TAG_STRING, 2, words, sizes)) code = open_file(id, words, sizes);
        break;
    case WRITE:
        if (strings(args, n, NYASH_TAG_BYTES, 1, words, sizes))
            code = files[id] == NULL || fwrite(words[0], 1, sizes[0], files[id]) < sizes[0] ? NYASH_E_PLUGIN : NYASH_OK;
        break;
    case CLOSE:
        if (!strings(args, n, 0, 0, words, sizes)) return code;
        code = NYASH_OK;
        if (files[id] == NULL) return NYASH_E_PLUGIN;
        fclose(files[id]);
        files[id] = NULL;
        break;
    default:
        if (files[id] != NULL) fclose(files[id]);
        files[id] = NULL;
        alive[id] = false;
        code = NYASH_OK;
    }
    free(words[0]);
    free(words[1]);
    if (code == NYASH_OK) *length = 0;
    return code;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    int32_t code;
    if (type_id != 720) return NYASH_E_INVALID_TYPE;
    pthread_mutex_lock(&lock);
    code = call(method, instance, args, args_len, result, result_len);
    pthread_mutex_unlock(&lock);
    return code;
}

void nyash_plugin_shutdown(void) {
    for (uint32_t id = 0; id <= last; id++) {
        if (files[id] != NULL) fclose(files[id]);
        files[id] = NULL;
        alive[id] = false;
    }
    last = 0;
}
