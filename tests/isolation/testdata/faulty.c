/* A plugin that ends its process in every way that there is. Box Faulty, type 720.
 * It is built once for each moment at which it is to crash: -DCRASH_AT=… */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "answer.h"
#include "nyash_plugin.h"

enum { ADD = 1, SEGV, ABORT, EXIT, LOOP, DEADLOCK, OVERFLOW, HOG, FORK, OPEN, SCRIBBLE, HANGUP, PID, PRINT, ENV, CWD, LOG, OVERRUN, SPIN, INHERITED, ORPHAN };

enum { NEVER, AT_LOAD, AT_INIT, AT_BIRTH, AT_FINI, AT_SHUTDOWN };

#ifndef CRASH
#define CRASH *nowhere = 1
#endif

#ifndef CRASH_AT
#define CRASH_AT NEVER
#endif

static const NyashHostVtable *host;
static uint32_t last_id;
static uint8_t *volatile nowhere;

static void crash(int now) {
    if (CRASH_AT == now) CRASH;
}

__attribute__((constructor)) static void loaded(void) { crash(AT_LOAD); }

static int deep(volatile int n) {
    volatile char frame[4096];
    frame[n % 4096] = (char)n;
    return deep(n + 1) + frame[0];
}

/* Takes memory until there is none, and returns the MiB. */
static int64_t hog(void) {
    int64_t mib = 0;
    static char *blocks[1 << 16];
    while (mib < 1 << 16) {
        blocks[mib] = malloc(1 << 20);
        if (blocks[mib] == NULL) break;
        memset(blocks[mib], 1, 1 << 20);
        mib++;
    }
    for (int64_t i = 0; i < mib; i++) free(blocks[i]);
    return mib;
}

/* Forks as often as it may, 1,000 times at most, and returns how often. */
static int64_t forks(void) {
    int64_t n = 0;
    while (n < 1000) {
        pid_t child = fork();
        if (child < 0) break;
        if (child == 0) {
            pause();
            _exit(0);
        }
        n++;
    }
    return n;
}

static int64_t opens(void) {
    int64_t n = 0;
    while (n < 10000 && open("/dev/null", O_RDONLY) >= 0) n++;
    return n;
}

/* Descriptors that are open, without the three standard ones. */
static int64_t inherited(void) {
    int64_t n = 0;
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0) n++;
    return n;
}

/* Fills what the host reads with noise: everything in front of the slots' buffers,
 * or the pipe to the host. */
static void scribble(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned seed = 1;
    if (maps == NULL) return;
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        if (strstr(line, "nyash-worker (deleted)") == NULL || sscanf(line, "%lx-%lx", &from, &to) != 2) continue;
        for (unsigned long at = from; at < to && at < from + 270336; at++) *(volatile uint8_t *)at = (uint8_t)rand_r(&seed);
        fclose(maps);
        return;
    }
    fclose(maps);
    for (int i = 0; i < 1 << 16; i++) {
        uint8_t noise = (uint8_t)rand_r(&seed);
        if (write(4, &noise, 1) < 0) return;
    }
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    host->log(NYASH_LOG_DEBUG, "init");
    crash(AT_INIT);
    info->type_id = 720;
    info->type_name = "Faulty";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int64_t a = 0, b = 0;
    uint32_t id;
    char text[4096];
    (void)instance;
    if (type_id != 720) return NYASH_E_INVALID_TYPE;
    switch (method) {
    case NYASH_METHOD_BIRTH:
        crash(AT_BIRTH);
        id = __atomic_add_fetch(&last_id, 1, __ATOMIC_SEQ_CST);
        memcpy(result, &id, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        crash(AT_FINI);
        *result_len = 0;
        return NYASH_OK;
    case ADD:
        if (args_len != 28) return NYASH_E_INVALID_ARGS;
        memcpy(&a, args + 8, 8);
        memcpy(&b, args + 20, 8);
        return answer_i64(result, result_len, a + b);
    case SEGV:
        host->log(NYASH_LOG_ERROR, "about to crash");
        *nowhere = 1;
        break;
    case ABORT:
        abort();
    case EXIT:
        exit(0);
    case LOOP:
        for (volatile int i = 0;; i++) continue;
    case DEADLOCK:
        pthread_mutex_lock(&lock);
        pthread_mutex_lock(&lock);
        break;
    case OVERFLOW:
        return deep(0);
    case HOG:
        return answer_i64(result, result_len, hog());
    case FORK:
        return answer_i64(result, result_len, forks());
    case OPEN:
        return answer_i64(result, result_len, opens());
    case SCRIBBLE:
        scribble();
        return answer_i64(result, result_len, 1);
    case HANGUP:
        shutdown(3, SHUT_WR); /* the socket, */
        close(4);             /* or the pipe to the host */
        for (;;) pause();
    case PID:
        return answer_i64(result, result_len, getpid());
    case PRINT:
        printf("printed by the plugin\n");
        fflush(stdout);
        return answer_i64(result, result_len, 0);
    case ENV: {
        extern char **environ;
        for (char **e = environ; *e != NULL; e++) a++;
        return answer_i64(result, result_len, a);
    }
    case CWD:
        if (getcwd(text, sizeof text) == NULL) return NYASH_E_PLUGIN;
        return answer(result, result_len, NYASH_TAG_STRING, text, strlen(text));
    case LOG:
        for (int i = 0; i < 1000; i++) {
            snprintf(text, sizeof text, "line %d of a great many that are to come in their order", i);
            host->log(NYASH_LOG_INFO, text);
        }
        return answer_i64(result, result_len, 1000);
    case OVERRUN:
        memset(result, 1, *result_len + 64);
        *result_len = 0;
        return NYASH_OK;
    case SPIN:
        for (volatile long i = 0; i < 300000; i++) continue;
        return answer_i64(result, result_len, 0);
    case ORPHAN:
        if (fork() == 0) {
            setsid();
            sleep(15);
            _exit(0);
        }
        usleep(50000);
        *nowhere = 1;
        break;
    case INHERITED:
        return answer_i64(result, result_len, inherited());
    }
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) { crash(AT_SHUTDOWN); }
