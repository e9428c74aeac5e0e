/* What a module can do to its host, good and bad: box Module, type 7. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wasi/api.h>

#include "answer.h"
#include "nyash_plugin.h"

enum {
    ADD = 1,
    ECHO,
    SPIN,
    TRAP,
    SLEEP,
    PRINT,
    WAKE,
    COUNT,
    RECURSE,
    GROW,
    LENGTH,
    GIVE,
    LIE,
    LOOP,
    EXIT,
    TAKE,
    LIE_BLOB,
    TEXT,
    MISTAKE,
    RANDOM
};

static const NyashHostVtable *host;
static uint32_t last_id;
static int64_t count;
static volatile int64_t sink;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
    static const NyashMethodInfo methods[] = {
        {ADD, "add", 0},     {ECHO, "echo", 0},   {SPIN, "spin", 0},       {TRAP, "trap", 0},
        {SLEEP, "sleep", 0}, {PRINT, "print", 0}, {WAKE, "wake", 0},       {COUNT, "count", 0},
        {GROW, "grow", 0},   {GIVE, "give", 0},   {RECURSE, "recurse", 0}, {LENGTH, "length", 0},
        {LIE, "lie", 0},     {LOOP, "loop", 0},   {EXIT, "exit", 0},       {TAKE, "take", 0},
        {LIE_BLOB, "lieBlob", 0}, {TEXT, "text", 0}, {MISTAKE, "mistake", 0}, {RANDOM, "random", 0},
    };
    host = h;
    info->type_id = 7;
    info->type_name = "Module";
    info->method_count = sizeof methods / sizeof methods[0];
    info->methods = methods;
    return NYASH_OK;
}

/* The 8 bytes of entry n of a message, whose entries all have 8 or 16. */
static int64_t word(const uint8_t *args, size_t args_len, size_t n) {
    int64_t v = 0;
    size_t at = 8 + 12 * n;
    if (args_len >= at + 8) memcpy(&v, args + at, 8);
    return v;
}

static int32_t blob(uint64_t at, uint64_t length, uint8_t *result, size_t *result_len) {
    uint64_t words[2] = {at, length};
    return answer(result, result_len, NYASH_TAG_BLOB, words, sizeof words);
}

static _Noreturn __attribute__((noinline)) void trap(void) { __builtin_trap(); }

static int recurse(volatile int *deep) {
    volatile int here = *deep + 1;
    if (here < 0) return 0;
    return recurse(&here) + here;
}

static int32_t lie(int64_t what, uint8_t *result, size_t *result_len) {
    switch (what) {
    case 0: *result_len = 0xffffffff; return NYASH_OK;         /* longer than the buffer */
    case 1: *result_len = 0xffffffff; return NYASH_E_SHORT_BUFFER;
    case 2: *result_len = 1; return NYASH_E_SHORT_BUFFER;      /* asks for less than it has */
    case 3: return blob(0xfffffff0, 64, result, result_len); /* past the end */
    case 4: return blob(UINT64_C(0x100000000), 4, result, result_len);
    case 5: return blob(16, UINT64_MAX, result, result_len);
    }
    host->log(what, (const char *)(uintptr_t)0xfffffffe); /* a message past the end */
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    int64_t a = word(args, args_len, 0), b = word(args, args_len, 1);
    (void)instance;
    if (type_id != 7) return NYASH_E_INVALID_TYPE;
    switch (method) {
    case NYASH_METHOD_BIRTH:
        memcpy(result, &(uint32_t){++last_id}, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI: *result_len = 0; return NYASH_OK;
    case TEXT:
    case ECHO:
        if (*result_len < args_len) {
            *result_len = args_len;
            return NYASH_E_SHORT_BUFFER;
        }
        memcpy(result, args, args_len);
        *result_len = args_len;
        return NYASH_OK;
    case LENGTH: {
        uint64_t at_and_length[2], sum = 0;
        memcpy(at_and_length, args + 8, sizeof at_and_length);
        const uint8_t *data = (const uint8_t *)(uintptr_t)at_and_length[0];
        for (uint64_t i = 0; i < at_and_length[1]; i++) sum += data[i];
        return answer_i64(result, result_len, (int64_t)sum);
    }
    }
    switch (method) {
    case ADD: return answer_i64(result, result_len, a + b);
    case SPIN:
        host->log(NYASH_LOG_INFO, "it spins");
        for (;;) sink++;
    case TRAP: trap();
    case EXIT: exit((int)a);
    case SLEEP: nanosleep(&(struct timespec){a / 1000, a % 1000 * 1000000}, NULL); break;
    case PRINT:
        printf("a line on stdout\nand one without an end");
        fflush(stdout);
        fprintf(stderr, "\x1b[31ma line on stderr\n");
        break;
    case WAKE: host->wake(UINT64_C(0xfedcba9876543210)); break;
    case COUNT: return answer_i64(result, result_len, ++count);
    case RECURSE: return answer_i64(result, result_len, recurse(&(volatile int){0}));
    case RANDOM: { /* more than the host may make at once */
        uint8_t *data = malloc((size_t)a);
        if (data != NULL) sink += __wasi_random_get(data, (size_t)a);
        break;
    }
    case GROW: {
        uint8_t *volatile grown = malloc((size_t)a);
        return answer_i64(result, result_len, grown != NULL);
    }
    case MISTAKE: /* declared as what it is not */
    case GIVE: {
        uint8_t *data = host->alloc((size_t)a);
        if (data == NULL) return NYASH_E_OUT_OF_MEMORY;
        memset(data, 0x5a, (size_t)a);
        return blob((uintptr_t)data, (uint64_t)a, result, result_len);
    }
    case LIE_BLOB:
    case LIE: return lie(a, result, result_len);
    case LOOP:
        for (int64_t i = 0; i < a; i++) sink = i;
        return answer_i64(result, result_len, sink);
    case TAKE: break;
    default: return NYASH_E_INVALID_METHOD;
    }
    *result_len = 0;
    return NYASH_OK;
}

void nyash_plugin_shutdown(void) {}
