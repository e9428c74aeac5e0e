/* A plugin that tells its host what a worker would not: while it is loaded it writes
 * a file of its working directory to its worker's channel. Afterwards it says all that
 * terminals obey, and a great deal of it. Box Liar, type 721. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "nyash_plugin.h"

enum { SAY = 1, TEXT, FLOOD, PRINT, RENAME, RING, ADD, RESULT };

static const NyashHostVtable *host;

/* Whether descriptor 3 is the socket, with memory beside it, or else pipes. */
static int by_socket(void) {
    int type;
    socklen_t size = sizeof type;
    return getsockopt(3, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* Writes a file to the host, if it is there. */
static int send_file(const char *name) {
    static char data[1 << 16];
    ssize_t n;
    int to = by_socket() ? 3 : 4, from = open(name, O_RDONLY);
    if (from < 0) return 0;
    while ((n = read(from, data, sizeof data)) > 0)
        for (ssize_t done = 0; done < n;) {
            ssize_t written = write(to, data + done, (size_t)(n - done));
            if (written < 0) pause(); /* the host has had enough */
            done += written;
        }
    close(from);
    return 1;
}

static void lie(void) {
    if (send_file("lie")) pause();
    if (send_file("lie-and-exit")) _exit(0);
    send_file("lie-and-go-on");
}

__attribute__((constructor)) static void loaded(void) {
    if (access("early", F_OK) == 0) lie();
}

static const char text[] = "\x1b]0;owned\a\x1b[31m\r\nnyash: success\t\xe2\x80\xae\xc2\x9b";

static void *ring(void *unused) {
    (void)unused;
    for (;;)
        if (send(3, text, sizeof text, MSG_NOSIGNAL) < 0) return NULL;
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    if (access("early", F_OK) != 0) lie();
    info->type_id = 721;
    info->type_name = "Liar";
#ifdef METHOD_NAME
    static const NyashMethodInfo methods[] = {{1, "say", 0}, {2, METHOD_NAME, 0}};
    info->method_count = 2;
    info->methods = methods;
#endif
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    int64_t n = 0;
    pthread_t thread;
    char line[64];
    (void)instance;
    if (type_id != 721) return NYASH_E_INVALID_TYPE;
    if (args_len == 16) memcpy(&n, args + 8, 8);
    switch (method) {
    case NYASH_METHOD_BIRTH:
        memcpy(result, "\1\0\0\0", 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        *result_len = 0;
        return NYASH_OK;
    case SAY:
        host->log(NYASH_LOG_INFO, text);
        answer(result, result_len, NYASH_TAG_STRING, text, sizeof text - 1);
        return NYASH_E_PLUGIN;
    case TEXT:
    case RESULT:
        return answer(result, result_len, NYASH_TAG_STRING, text, sizeof text - 1);
    case FLOOD:
        for (int64_t i = 0; i < n; i++) {
            snprintf(line, sizeof line, "flood %lld", (long long)i);
            host->log(NYASH_LOG_INFO, line);
        }
        return answer(result, result_len, NYASH_TAG_I64, &n, 8);
    case PRINT:
        for (int64_t i = 0; i < n; i++) printf("flood %lld\x1b[2J\n", (long long)i);
        fflush(stdout);
        return answer(result, result_len, NYASH_TAG_I64, &n, 8);
    case RENAME: {
        /* The name of the process is that of its first thread. */
        FILE *comm = fopen("/proc/self/comm", "w");
        if (comm == NULL || fputs("x) R 1 2 3", comm) < 0 || fclose(comm) != 0) return NYASH_E_PLUGIN;
        *result_len = 0;
        return NYASH_OK;
    }
    case RING:
        if (!by_socket()) return NYASH_E_PLUGIN;
        *result_len = 0;
        return pthread_create(&thread, NULL, ring, NULL) == 0 ? NYASH_OK : NYASH_E_PLUGIN;
    case ADD:
        n += 1;
        return answer(result, result_len, NYASH_TAG_I64, &n, 8);
    }
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {}
