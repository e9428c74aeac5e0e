/* A plugin that takes its time, names what is not its own, and does not want to end.
 * Box Stubborn, type 730. -DINIT=…, -DFINI=… and -DSHUTDOWN=… are what it does then. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "nyash_plugin.h"

enum { ADD = 1, REST, FLIP, LEAVE, WHOAMI, ID, FORGE, BIRTHS, FINIS, MAKE, GIVE, TERMINAL, CRASH, HOARD, WANT, RESTING, REAP, BLOCKS, FREEZE, FILL, SAY, HUGE_, TWICE, SUM, NAG, DETACH, EDGE, RESTS };

#ifndef INIT
#define INIT (void)0
#endif
#ifndef FINI
#define FINI (void)0
#endif
#ifndef SHUTDOWN
#define SHUTDOWN (void)0
#endif

#ifndef TYPE
#define TYPE 730
#endif

static const NyashHostVtable *host;
static atomic_uint last_id;
static atomic_llong births, finis, rests, resting;

static void hang(void) {
    for (;;) pause();
}

static void close_socket(void) {
    shutdown(3, SHUT_RDWR);
    close(3);
    close(4);
    hang();
}

static void become_another(void) { execlp("sleep", "sleep", "1000", (char *)NULL); }

static void *flood(void *unused) {
    for (;;) host->log(NYASH_LOG_INFO, "a line of a flood");
    return unused;
}

static void *nag(void *unused) {
    for (;;) {
        host->log(NYASH_LOG_INFO, "again");
        usleep(1000);
    }
    return unused;
}

static uint8_t *twice;

static void told(void) {
    char text[64];
    snprintf(text, sizeof text, "%lld births, %lld finis", (long long)births, (long long)finis);
    host->log(NYASH_LOG_INFO, text);
}

static void flood_and_hang(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, flood, NULL);
    hang();
}

static void rest(int64_t ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    atomic_fetch_add(&resting, 1);
    atomic_fetch_add(&rests, 1);
    while (nanosleep(&t, &t) != 0 && errno == EINTR) continue;
    atomic_fetch_sub(&resting, 1);
}

/* Turns the states of the slots from done to running and back, as fast as it can. */
static void *flip(void *at) {
    for (;;)
        for (int i = 0; i < 64; i++) {
            _Atomic uint32_t *state = (_Atomic uint32_t *)((uint8_t *)at + 0x1000 + i * 128);
            uint32_t done = 3, running = 2;
            if (!atomic_compare_exchange_strong(state, &done, 2)) atomic_compare_exchange_strong(state, &running, 3);
        }
    return NULL;
}

/* Answers all that is asked and is no call, in place of the worker, which may be faster. */
static void *yield_to_host(void *at) {
    uint8_t *memory = at;
    for (;;)
        for (int i = 0; i < 4; i++) {
            uint8_t *slot = memory + 0x1000 + i * 128;
            atomic_fetch_and((_Atomic uint64_t *)(memory + 0x40), ~0xfull);
            *(volatile int32_t *)(slot + 20) = 0;
            atomic_store((_Atomic uint32_t *)slot, 3);
            atomic_fetch_add((_Atomic uint32_t *)(memory + 0x100), 1);
        }
    return NULL;
}

/* Where the memory that is shared with the host begins and ends. */
static uint8_t *shared(uint8_t **end) {
    char line[512];
    uint8_t *begin = NULL;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        if (strstr(line, "nyash-worker (deleted)") == NULL || sscanf(line, "%lx-%lx", &from, &to) != 2) continue;
        if (begin == NULL) begin = (uint8_t *)from;
        *end = (uint8_t *)to;
    }
    if (maps != NULL) fclose(maps);
    return begin;
}

static int start_flipping(void) {
    pthread_t thread;
    uint8_t *end, *begin = shared(&end);
    return begin == NULL ? -1 : pthread_create(&thread, NULL, flip, begin);
}

static int64_t integer(const uint8_t *args, size_t length, int i) {
    int64_t v = 0;
    size_t at = 8 + (size_t)i * 12;
    if (i == 0 && length >= 12 && args[4] == NYASH_TAG_I32) { /* birth's, which is not declared */
        int32_t small;
        memcpy(&small, args + at, 4);
        return small;
    }
    if (at + 8 <= length) memcpy(&v, args + at, 8);
    return v;
}

/* Opens the terminal of whoever started the host, and types into it. */
static int64_t terminal(void) {
    int fd = open("/dev/tty", O_RDWR);
    if (fd < 0) return errno;
    for (const char *c = "echo INJECTED\n"; *c != 0; c++)
        if (ioctl(fd, TIOCSTI, c) != 0) break;
    return 0;
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    INIT;
    info->type_id = TYPE;
    info->type_name = TYPE == 730 ? "Stubborn" : "Other";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    uint32_t id, handle[2];
    uint64_t blob[2];
    uint8_t *block;
    int64_t a = integer(args, args_len, 0), b = integer(args, args_len, 1);
    if (type_id != TYPE) return NYASH_E_INVALID_TYPE;
    switch (method) {
    case NYASH_METHOD_BIRTH:
        if (a > 0) rest(a);
        id = atomic_fetch_add(&last_id, 1) + 1;
        atomic_fetch_add(&births, 1);
        memcpy(result, &id, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        FINI;
        atomic_fetch_add(&finis, 1);
        *result_len = 0;
        return NYASH_OK;
    case ADD:
        return answer_i64(result, result_len, a + b);
    case REST:
        rest(a);
        return answer_i64(result, result_len, a);
    case FLIP:
        return answer_i64(result, result_len, start_flipping());
    case LEAVE:
        setpgid(0, getpgid(getppid()));
        hang();
        break;
    case WHOAMI:
        memcpy(handle, args + 8, sizeof handle);
        return answer_i64(result, result_len, handle[1]);
    case ID:
        return answer_i64(result, result_len, instance);
    case FORGE:
        return answer_handle(result, result_len, (uint32_t)a, (uint32_t)b);
    case BIRTHS:
        return answer_i64(result, result_len, births);
    case FINIS:
        return answer_i64(result, result_len, finis);
    case MAKE:
        rest(a);
        id = atomic_fetch_add(&last_id, 1) + 1;
        return answer_handle(result, result_len, TYPE, id);
    case GIVE:
        rest(a);
        block = host->alloc((size_t)b);
        return answer_blob(result, result_len, memset(block, 'b', (size_t)b), (uint64_t)b);
    case TERMINAL:
        return answer_i64(result, result_len, terminal());
    case CRASH:
        abort();
    case HOARD: /* and never gives back */
        memset(host->alloc((size_t)a), 1, (size_t)a);
        return answer_i64(result, result_len, a);
    case WANT: /* more room than there is, after a rest */
        rest(a);
        if (*result_len >= 100000) return answer_i64(result, result_len, 1);
        *result_len = 100000;
        return NYASH_E_SHORT_BUFFER;
    case RESTING:
        return answer_i64(result, result_len, resting);
    case RESTS:
        return answer_i64(result, result_len, rests);
    case FILL: /* takes memory, and keeps it, until there is none */
        for (a = 0, b = 1 << 20; b >= 64; b /= 2)
            for (void *p = malloc((size_t)b); p != NULL; p = malloc((size_t)b)) {
                memset(p, 1, (size_t)b);
                a += b;
            }
        return answer_i64(result, result_len, a);
    case HUGE_: /* asks for room, if it is to, and then says that it wrote more than there is */
        if (a > 0 && *result_len < (size_t)a) {
            *result_len = (size_t)a;
            return NYASH_E_SHORT_BUFFER;
        }
        *result_len = (size_t)b;
        return b == 4 ? NYASH_OK : NYASH_E_PLUGIN;
    case TWICE: /* the same blob each time */
        if (twice == NULL) memset(twice = host->alloc(1 << 20), 'b', 1 << 20);
        return answer_blob(result, result_len, twice, 1 << 20);
    case SUM: {
        memcpy(blob, args + 8, sizeof blob);
        memcpy(&b, args + 28, sizeof b);
        rest(b);
        for (a = 0, b = 0; b < (int64_t)blob[1]; b++) a += ((const uint8_t *)(uintptr_t)blob[0])[b];
        return answer_i64(result, result_len, a);
    }
    case NAG: {
        pthread_t thread;
        return answer_i64(result, result_len, pthread_create(&thread, NULL, nag, NULL));
    }
    case DETACH: /* from the end of its host */
        return answer_i64(result, result_len, prctl(PR_SET_PDEATHSIG, 0));
    case EDGE: { /* an empty blob behind the last byte of the shared memory */
        static atomic_int yielding;
        pthread_t thread;
        uint8_t *end, *begin = shared(&end);
        if (begin == NULL) return NYASH_E_PLUGIN;
        if (!atomic_exchange(&yielding, 1) && pthread_create(&thread, NULL, yield_to_host, begin) != 0) return NYASH_E_PLUGIN;
        return answer_blob(result, result_len, end, 0);
    }
    case SAY:
        for (b = 0; b < a; b++) host->log(NYASH_LOG_INFO, "a line");
        return answer_i64(result, result_len, a);
    case FREEZE:
        kill(getpid(), SIGSTOP);
        return answer_i64(result, result_len, 0);
    }
    return NYASH_E_INVALID_METHOD;
}

#ifdef BATCH
NYASH_DEFINE_INVOKE_BATCH
#endif

void nyash_plugin_shutdown(void) { SHUTDOWN; }
