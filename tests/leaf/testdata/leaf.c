/* Leaf methods of every kind, good and bad. */
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"

enum {
    ADD = 1, ECHO, SAY, SAY_LONG, SAY_NOTHING, SAY_WILD, WAKE, MANY, ALLOC, RESOLVE, ASK, STACK, SPIN, ANSWER,
    STACK_AT, OVERLAP,
    RESTORE = 17, FRAME = 18,
    WRITE_NULL = 100, OVERFLOW_STACK, LARGE_FRAME, ABORT, DIVIDE, ILLEGAL, TRAP, RAISE_SEGV, JUMP_NOWHERE, WILD_RESULT
};

static const NyashHostVtable *host;
static const NyashHostCalls *calls;
static uint32_t last_id;
static volatile int inside, overlapped;

NYASH_EXPORT uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

#ifdef CONNECT
NYASH_EXPORT int32_t nyash_plugin_connect(const NyashHostCalls *h) {
    calls = h;
    return NYASH_OK;
}
#endif

#ifdef RESTORE_HANDLER
static struct sigaction found;

/* Passes all on to the handler that was there before. */
static void pass_on(int signal, siginfo_t *info, void *context) { found.sa_sigaction(signal, info, context); }
#endif

NYASH_EXPORT int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
#ifdef RESTORE_HANDLER
    struct sigaction own = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&own.sa_mask);
    sigaction(SIGSEGV, &own, &found);
#endif
    host = vtable;
    info->type_id = 7;
    return NYASH_OK;
}

static int64_t number(const uint8_t *args, int i) {
    int64_t v;
    memcpy(&v, args + 8 + 12 * i, sizeof v);
    return v;
}

/* Each call writes a kilobyte of the stack, and returns how many there were. */
static __attribute__((noinline)) int64_t deepen(int64_t n) {
    volatile char room[1024];
    memset((void *)room, (int)n, sizeof room);
    return n == 0 ? room[0] : 1 + deepen(n - 1) + 0 * room[5];
}

static __attribute__((noinline)) int64_t large_frame(size_t size) {
    volatile char *room = alloca(size);
    room[0] = 1;
    return room[0];
}

static int32_t work(uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    volatile int zero = 0;
    switch (method) {
    case NYASH_METHOD_BIRTH:
        last_id++;
        memcpy(result, &last_id, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        *result_len = 0;
        return NYASH_OK;
    case ADD:
        return answer_i64(result, result_len, number(args, 0) + number(args, 1));
    case ECHO:
        if (*result_len < args_len) {
            *result_len = args_len;
            return NYASH_E_SHORT_BUFFER;
        }
        memcpy(result, args, args_len);
        *result_len = args_len;
        return NYASH_OK;
    case SAY: {
        char line[64] = "number ";
        int64_t n = number(args, 0);
        for (int64_t i = 0; i < n; i++) {
            line[7] = (char)('0' + i / 10 % 10);
            line[8] = (char)('0' + i % 10);
            line[9] = 0;
            host->log((int32_t)(i % 4), line);
        }
        return answer_i64(result, result_len, n);
    }
    case SAY_LONG: {
        int64_t n = number(args, 0);
        char *line = malloc((size_t)n + 1);
        memset(line, 'x', (size_t)n);
        line[n] = 0;
        host->log(NYASH_LOG_WARN, line);
        free(line);
        return answer_i64(result, result_len, n);
    }
    case SAY_NOTHING:
        host->log(NYASH_LOG_INFO, NULL);
        host->log(NYASH_LOG_INFO, "");
        return answer_i64(result, result_len, 0);
    case SAY_WILD:
        host->log(NYASH_LOG_INFO, (const char *)0x8000);
        host->log(NYASH_LOG_INFO, (const char *)(uintptr_t)0xdead00000000beef);
        host->log(NYASH_LOG_INFO, "\xff\x1b[31m");
        return answer_i64(result, result_len, 0);
    case WAKE:
        host->wake((uint64_t)number(args, 0));
        return answer_i64(result, result_len, 0);
    case MANY: /* wakes and lines until there is no room */
        for (int64_t i = 0; i < number(args, 0); i++) {
            host->wake((uint64_t)i);
            host->log(NYASH_LOG_INFO, "a line of some length, to fill the room");
        }
        return answer_i64(result, result_len, 0);
    case ALLOC: {
        uint8_t *p = host->alloc(100);
        int64_t ok = p != NULL;
        if (p != NULL) memset(p, 1, 100);
        host->free(p);
        return answer_i64(result, result_len, ok);
    }
    case RESOLVE: {
        uint32_t type = 5, id = 6;
        int32_t code = calls->resolve("Leaf", "add", &type, &id);
        return answer_i64(result, result_len, (int64_t)code * 1000 + type * 10 + id);
    }
    case ASK: {
        size_t length = *result_len;
        int32_t code = calls->invoke(1, 1, 1, args, args_len, result, &length);
        *result_len = length;
        if (code != NYASH_E_PLUGIN) return NYASH_E_INVALID_TYPE;
        /* Without room for the message, and without anything. */
        size_t none = 3;
        uint8_t few[3] = {9, 9, 9};
        if (calls->invoke(1, 1, 1, args, args_len, few, &none) != NYASH_E_PLUGIN || none != 0 || few[0] != 9) return NYASH_E_INVALID_METHOD;
        if (calls->invoke(1, 1, 1, args, args_len, NULL, NULL) != NYASH_E_PLUGIN) return NYASH_E_INVALID_METHOD;
        return code;
    }
    case STACK:
        return answer_i64(result, result_len, deepen(number(args, 0)));
    case SPIN: {
        struct timespec from, now;
        clock_gettime(CLOCK_MONOTONIC, &from);
        do clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - from.tv_sec) * 1000000000LL + now.tv_nsec - from.tv_nsec < number(args, 0));
        return answer_i64(result, result_len, 0);
    }
    case ANSWER: /* with this code */
        *result_len = 0;
        return (int32_t)number(args, 0);
    case STACK_AT: {
        int here;
        return answer_i64(result, result_len, (int64_t)(uintptr_t)&here);
    }
    case OVERLAP: /* how often two calls were inside at once */
        if (inside++ != 0) overlapped++;
        for (volatile int i = 0; i < 500; i++) {}
        inside--;
        return answer_i64(result, result_len, overlapped);

    case FRAME: /* writes the beginning of a frame of so many bytes */
        return answer_i64(result, result_len, large_frame((size_t)number(args, 0)));

    case WRITE_NULL:
        *(volatile int *)(uintptr_t)0x10 = 1;
        break;
    case OVERFLOW_STACK:
        return answer_i64(result, result_len, deepen(1 << 20));
    case LARGE_FRAME:
        return answer_i64(result, result_len, large_frame((size_t)number(args, 0)));
    case ABORT:
        abort();
    case DIVIDE:
#ifdef __x86_64__
        return answer_i64(result, result_len, 1000 / zero);
#else
        (void)zero;
        raise(SIGABRT);
        break;
#endif
    case ILLEGAL:
        __builtin_trap();
    case TRAP:
#ifdef __x86_64__
        __asm__ volatile("int3");
#else
        raise(SIGTRAP);
#endif
        break;
    case RAISE_SEGV:
        raise(SIGSEGV);
        break;
    case JUMP_NOWHERE:
        ((void (*)(void))(uintptr_t)0x20)();
        break;
    case WILD_RESULT:
        memset(result + (64 << 20), 1, 1);
        break;
    }
    return NYASH_E_INVALID_METHOD;
}

NYASH_EXPORT int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args,
                                         size_t args_len, uint8_t *result, size_t *result_len) {
    (void)instance;
    if (type != 7) return NYASH_E_INVALID_TYPE;
    return work(method, args, args_len, result, result_len);
}

static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result,
                         size_t *result_len) {
    (void)instance;
    return work(method, args, args_len, result, result_len);
}

extern NYASH_EXPORT const NyashTypeBox nyash_typebox_Table;
const NyashTypeBox nyash_typebox_Table = {NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof(NyashTypeBox), "Table", NULL, invoke_id, 0};

NYASH_EXPORT void nyash_plugin_shutdown(void) {
#ifdef RESTORE_HANDLER
    sigaction(SIGSEGV, &found, NULL);
#endif
}
