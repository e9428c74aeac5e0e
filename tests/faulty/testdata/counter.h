/* A small plugin without a fault: box Counter, type 710. The files beside this one
 * each define one macro in another way, and so have one fault. */
#define _GNU_SOURCE
#include <fcntl.h>
#ifndef __wasm__
#include <pthread.h>
#include <signal.h>
#else /* one call at a time */
typedef int pthread_mutex_t;
#define PTHREAD_MUTEX_INITIALIZER 0
#define pthread_mutex_lock(m) ((void)(m))
#define pthread_mutex_unlock(m) ((void)(m))
#endif
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nyash_plugin.h"

#define TYPE_ID UINT32_C(710)

enum { ADD = 1, GET, ECHO, POKE, SET, FAIL };

#ifndef MEMBERS
#define MEMBERS
#endif

struct counter {
    uint32_t id;
    int64_t n;
    uint8_t *data;
    size_t size;
    bool ended;
    MEMBERS
};

static const NyashHostVtable *host;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct counter **counters;
static uint32_t last_id, capacity;

__attribute__((unused)) static uint8_t *volatile nowhere;

/* What a fault replaces. */
#ifndef ABI
#define ABI NYASH_ABI_VERSION
#endif
#ifndef TYPE_NAME
#define TYPE_NAME "Counter"
#endif
#ifndef NEXT_ID
#define NEXT_ID() (++last_id)
#endif
#ifndef LOOK_UP
#define LOOK_UP(method, id) look_up(id)
#endif
#ifndef ON_INIT
#define ON_INIT
#endif
#ifndef ON_BIRTH
#define ON_BIRTH
#endif
#ifndef ON_BORN
#define ON_BORN
#endif
#ifndef ON_FINI
#define ON_FINI
#endif
#ifndef ON_SHUTDOWN
#define ON_SHUTDOWN
#endif
#ifndef ON_POKE
#define ON_POKE
#endif
#ifndef ON_GET
#define ON_GET
#endif
#ifndef ON_SET
#define ON_SET
#endif
#ifndef KNOWN_TYPE
#define KNOWN_TYPE(id) ((id) == TYPE_ID)
#endif
#ifndef UNKNOWN_METHOD
#define UNKNOWN_METHOD return NYASH_E_INVALID_METHOD
#endif
#ifndef FREE_COUNTER
#define FREE_COUNTER(c) (free((c)->data), free(c))
#endif
#ifndef ECHO_TAG
#define ECHO_TAG NYASH_TAG_STRING
#endif
#ifndef GOOD_ENTRY
#define GOOD_ENTRY(args, args_len, size) (args[5] == 0 && (size) + 8u == args_len)
#endif
#ifndef DESCRIBE
#define DESCRIBE                                                                                        \
    static const NyashMethodInfo methods[] = {{ADD, "add", 0}, {GET, "get", 0}, {ECHO, "echo", 0},      \
                                              {POKE, "poke", 0}, {SET, "set", 0}, {FAIL, "fail", 0}};
#endif

/* What nyash_plugin_config may return. */
#define BOX_TEXT "[plugins.Counter]\ntype_id = 710\n"
#define METHODS_TEXT METHODS_TEXT_OF("")
/* The same, with more about poke. */
#define METHODS_TEXT_OF(poke)                                                                              \
    "[plugins.Counter.methods]\n"                                                                          \
    "add = { method_id = 1, args = [ { name = 'by', from = 'integer', to = 'i64' } ], returns = 'i64' }\n" \
    "get = { method_id = 2, args = [], returns = 'i64' }\n"                                                \
    "echo = { method_id = 3, args = [ { name = 'text', to = 'string' } ], returns = 'string' }\n"          \
    "poke = { method_id = 4, args = [], returns = 'void', " poke "doc = 'Does nothing.' }\n"               \
    "set = { method_id = 5, args = [ { name = 'data', to = 'bytes' } ], returns = 'i64' }\n"               \
    "fail = { method_id = 6, args = [] }\n"

#include "reply.h"

static bool no_args(const uint8_t *args, size_t n) { return n == 4 && memcmp(args, "\1\0\0\0", 4) == 0; }

/* The one argument of a message, if it is of this type. */
static bool one_arg(const uint8_t *args, size_t n, int tag, const uint8_t **data, size_t *size) {
    if (n < 8 || memcmp(args, "\1\0\1\0", 4) != 0 || args[4] != tag) return false;
    *size = args[6] | (size_t)args[7] << 8;
    *data = args + 8;
    return GOOD_ENTRY(args, n, *size) && (tag != NYASH_TAG_I64 || *size == 8) && (tag != NYASH_TAG_STRING || utf8(*data, *size));
}

static struct counter *look_up(uint32_t id) {
    if (id == 0 || id > last_id || counters[id] == NULL || counters[id]->ended) return NULL;
    return counters[id];
}

static int32_t birth(struct reply r) {
    uint32_t id;
    struct counter *c;
    if (*r.length < 4) {
        *r.length = 4;
        return NYASH_E_SHORT_BUFFER;
    }
    ON_BIRTH;
    id = NEXT_ID();
    if (last_id >= capacity) {
        uint32_t more = capacity == 0 ? 64 : 2 * capacity;
        struct counter **grown = realloc(counters, more * sizeof *grown);
        if (grown == NULL) return NYASH_E_OUT_OF_MEMORY;
        memset(grown + capacity, 0, (more - capacity) * sizeof *grown);
        counters = grown;
        capacity = more;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) return NYASH_E_OUT_OF_MEMORY;
    if (counters[id] != NULL) FREE_COUNTER(counters[id]);
    counters[id] = c;
    c->id = id;
    ON_BORN;
    memcpy(r.at, &id, 4);
    *r.length = 4;
    return NYASH_OK;
}

#ifndef END
static int32_t end(uint32_t id) {
    struct counter *c = look_up(id);
    if (c == NULL) return NYASH_E_INVALID_HANDLE;
    ON_FINI;
    FREE_COUNTER(c);
    counters[id] = NULL;
    return NYASH_OK;
}
#else
END
#endif

static int32_t set(struct counter *c, struct reply r, const uint8_t *data, size_t size) {
    uint8_t *copy;
    if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;
    copy = malloc(size + 1);
    if (copy == NULL) return NYASH_E_OUT_OF_MEMORY;
    ON_SET;
    memcpy(copy, data, size);
    free(c->data);
    c->data = copy;
    c->size = size;
    return reply_i64(r, (int64_t)size);
}

#ifndef DO_ADD
static int32_t add(struct counter *c, struct reply r, int64_t by) {
    if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;
    c->n = (int64_t)((uint64_t)c->n + (uint64_t)by);
    return reply_i64(r, c->n);
}
#else
DO_ADD
#endif

#ifndef DO_POKE
static int32_t poke(struct counter *c, struct reply r) {
    (void)c;
    ON_POKE;
    return nothing(r);
}
#else
DO_POKE
#endif

#ifndef DO_ECHO
static int32_t echo(struct reply r, const uint8_t *data, size_t size) { return reply(r, ECHO_TAG, data, size); }
#else
DO_ECHO
#endif

#ifndef DO_FAIL
static int32_t fail(struct reply r) {
    static const char why[] = "this always fails";
    reply(r, NYASH_TAG_STRING, why, sizeof why - 1);
    return NYASH_E_PLUGIN;
}
#else
DO_FAIL
#endif

static int32_t call(uint32_t method, uint32_t id, const uint8_t *args, size_t n, struct reply r) {
    const uint8_t *data = NULL;
    size_t size = 0;
    int64_t by;
    struct counter *c;
    if (method == NYASH_METHOD_BIRTH) return birth(r);
    if (method == NYASH_METHOD_FINI) {
        int32_t code = end(id);
        return code == NYASH_OK ? nothing(r) : code;
    }
    if (method < ADD || method > FAIL) UNKNOWN_METHOD;
    c = LOOK_UP(method, id);
    if (c == NULL) return NYASH_E_INVALID_HANDLE;
    switch (method) {
    case ADD:
        if (!one_arg(args, n, NYASH_TAG_I64, &data, &size)) return NYASH_E_INVALID_ARGS;
        memcpy(&by, data, 8);
        return add(c, r, by);
    case ECHO:
        if (!one_arg(args, n, NYASH_TAG_STRING, &data, &size)) return NYASH_E_INVALID_ARGS;
        return echo(r, data, size);
    case SET:
        if (!one_arg(args, n, NYASH_TAG_BYTES, &data, &size)) return NYASH_E_INVALID_ARGS;
        return set(c, r, data, size);
    }
    if (!no_args(args, n)) return NYASH_E_INVALID_ARGS;
    if (method == POKE) return poke(c, r);
    if (method == FAIL) return fail(r);
    ON_GET;
    return reply_i64(r, c->n);
}

#ifndef LOCKED
#define LOCKED(method) true
#endif

uint32_t nyash_plugin_abi(void) { return ABI; }

DESCRIBE

#ifdef CONFIG
const char *nyash_plugin_config(void) { return CONFIG; }
#endif

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    ON_INIT;
    info->type_id = TYPE_ID;
    info->type_name = TYPE_NAME;
    info->method_count = sizeof methods / sizeof *methods;
    info->methods = methods;
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    struct reply r = {result, result_len};
    int32_t code;
    if (!KNOWN_TYPE(type_id)) return NYASH_E_INVALID_TYPE;
    if (!LOCKED(method)) return call(method, instance, args, args_len, r);
    pthread_mutex_lock(&lock);
    code = call(method, instance, args, args_len, r);
    pthread_mutex_unlock(&lock);
    return code;
}

#ifndef NO_SHUTDOWN
void nyash_plugin_shutdown(void) {
    ON_SHUTDOWN;
    for (uint32_t id = 1; id <= last_id && id < capacity; id++)
        if (counters[id] != NULL) FREE_COUNTER(counters[id]);
    free(counters);
    counters = NULL;
    last_id = capacity = 0;
}
#endif
