/* A small plugin without a fault that locks: box Store, type 720, of keys and values, with a
 * balance. Each instance has a lock, and the list of instances another. The files beside this
 * one each define one macro in another way, and so have one fault of threads. */
#define _GNU_SOURCE
#ifndef __wasm__
#include <pthread.h>
#else /* one call at a time */
typedef int pthread_mutex_t;
#define PTHREAD_MUTEX_INITIALIZER 0
#define pthread_mutex_init(m, a) ((void)(m))
#define pthread_mutex_destroy(m) ((void)(m))
#define pthread_mutex_lock(m) ((void)(m))
#define pthread_mutex_unlock(m) ((void)(m))
#endif
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

#define TYPE_ID UINT32_C(720)

enum { PUT = 1, GET, DROP, SIZE, GIVE, TAKE, MERGE, LABEL, RANK };

struct text {
    const uint8_t *data;
    size_t size;
};

struct entry {
    struct entry *next;
    struct text key, value;
};

struct store {
    struct store *next;
    uint32_t id;
    pthread_mutex_t lock;
    struct entry *entries;
    int64_t size, balance;
};

__attribute__((unused)) static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct store *stores;
static uint32_t last_id;

/* What a fault replaces. */
#ifndef LOCK
#define LOCK(s) pthread_mutex_lock(&(s)->lock)
#define UNLOCK(s) pthread_mutex_unlock(&(s)->lock)
#endif
#ifndef LOCK_ALL
#define LOCK_ALL() pthread_mutex_lock(&lock)
#define UNLOCK_ALL() pthread_mutex_unlock(&lock)
#endif
#ifndef LOCK_BIRTH
#define LOCK_BIRTH LOCK_ALL
#define UNLOCK_BIRTH UNLOCK_ALL
#endif
#ifndef LOCK_FINI
#define LOCK_FINI LOCK_ALL
#define UNLOCK_FINI UNLOCK_ALL
#endif
#ifndef LOCK_GET
#define LOCK_GET LOCK
#define UNLOCK_GET UNLOCK
#endif
#ifndef GROW
#define GROW(s, by) ((s)->size += (by))
#endif
#ifndef GROWN
#define GROWN(s, by)
#endif
#ifndef FOUND
#define FOUND(s)
#define FOUND_DONE(s)
#endif
#ifndef ENOUGH
#define ENOUGH(s)
#endif

static struct text copy(struct text t) {
    uint8_t *data = malloc(t.size + 1);
    if (data != NULL) memcpy(data, t.data, t.size);
    return (struct text){data, data == NULL ? 0 : t.size};
}

static bool equal(struct text a, struct text b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

static struct entry **find(struct store *s, struct text key) {
    struct entry **at = &s->entries;
    while (*at != NULL && !equal((*at)->key, key)) at = &(*at)->next;
    return at;
}

static void free_entry(struct entry *e) {
    free((uint8_t *)e->key.data);
    free((uint8_t *)e->value.data);
    free(e);
}

static void free_store(struct store *s) {
    for (struct entry *e = s->entries, *next; e != NULL; e = next) next = e->next, free_entry(e);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* With the lock of s. */
#ifndef PUT_ENTRY
static bool put_entry(struct store *s, struct text key, struct text value) {
    struct entry *e = *find(s, key);
    FOUND(s);
    if (e != NULL) {
        struct text old = e->value;
        e->value = copy(value);
        if (e->value.data == NULL) return e->value = old, false;
        free((uint8_t *)old.data);
    } else {
        e = calloc(1, sizeof *e);
        if (e == NULL) return false;
        e->key = copy(key);
        e->value = copy(value);
        if (e->key.data == NULL || e->value.data == NULL) return free_entry(e), false;
        e->next = s->entries;
        s->entries = e;
        GROW(s, 1);
    }
    FOUND_DONE(s);
    return true;
}
#else
PUT_ENTRY
#endif

#include "reply.h"

static int32_t reply_bool(struct reply r, bool b) {
    uint8_t byte = b;
    return reply(r, NYASH_TAG_BOOL, &byte, 1);
}

#ifndef DO_LABEL
static int32_t label(struct store *s, struct reply r, struct text t) {
    uint8_t text[65536];
    (void)s;
    if (t.size + 2 > NYASH_TLV_MAX_PAYLOAD) return NYASH_E_INVALID_ARGS;
    text[0] = '<';
    memcpy(text + 1, t.data, t.size);
    text[t.size + 1] = '>';
    return reply(r, NYASH_TAG_BYTES, text, t.size + 2);
}
#else
DO_LABEL
#endif

/* The number of bits in the last byte of n, from a table. */
#ifndef DO_RANK
static uint8_t ranks[256];
static void make_ranks(void) {
    for (int i = 1; i < 256; i++) ranks[i] = (uint8_t)(ranks[i / 2] + i % 2);
}
static int64_t rank(int64_t n) { return ranks[n & 255]; }
#define ON_INIT make_ranks()
#else
DO_RANK
#endif

#ifndef ON_INIT
#define ON_INIT
#endif

#ifndef DO_MERGE
/* Both locks, always in one order. */
static void merge(struct store *to, struct store *from) {
    if (to == from) return;
    LOCK(to->id < from->id ? to : from);
    LOCK(to->id < from->id ? from : to);
    for (struct entry *e = from->entries; e != NULL; e = e->next) put_entry(to, e->key, e->value);
    UNLOCK(from);
    UNLOCK(to);
}
#else
DO_MERGE
#endif

static struct store *look_up(uint32_t id) {
    struct store *s;
    LOCK_ALL();
    for (s = stores; s != NULL && s->id != id; s = s->next) {}
    UNLOCK_ALL();
    return s;
}

static int32_t birth(struct reply r) {
    struct store *s;
    uint32_t id;
    if (*r.length < 4) {
        *r.length = 4;
        return NYASH_E_SHORT_BUFFER;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) return NYASH_E_OUT_OF_MEMORY;
    pthread_mutex_init(&s->lock, NULL);
    LOCK_BIRTH();
    id = s->id = ++last_id;
    s->next = stores;
    stores = s;
    UNLOCK_BIRTH();
    memcpy(r.at, &id, 4);
    *r.length = 4;
    return NYASH_OK;
}

static int32_t fini(uint32_t id, struct reply r) {
    struct store **at, *s;
    LOCK_FINI();
    for (at = &stores; *at != NULL && (*at)->id != id; at = &(*at)->next) {}
    s = *at;
    if (s != NULL) *at = s->next;
    UNLOCK_FINI();
    if (s == NULL) return NYASH_E_INVALID_HANDLE;
    free_store(s);
    return nothing(r);
}

/* The arguments of a message that has these tags, and room for three. */
static bool read_args(const uint8_t *args, size_t n, const char *tags, struct text *out) {
    size_t at = 4, count = strlen(tags);
    if (n < 4 || args[0] != 1 || args[1] != 0 || args[2] != count || args[3] != 0) return false;
    for (size_t i = 0; i < count; i++, out++) {
        if (n - at < 4 || args[at] != (uint8_t)tags[i] || args[at + 1] != 0) return false;
        out->size = args[at + 2] | (size_t)args[at + 3] << 8;
        at += 4;
        if (n - at < out->size) return false;
        out->data = args + at;
        at += out->size;
        if ((tags[i] == NYASH_TAG_I64 || tags[i] == NYASH_TAG_HANDLE) && out->size != 8) return false;
    }
    return at == n;
}

static int64_t number(struct text t) {
    int64_t n;
    memcpy(&n, t.data, sizeof n);
    return n;
}

static int32_t merge_call(struct store *s, struct text handle, struct reply r) {
    uint32_t of[2];
    struct store *from;
    memcpy(of, handle.data, sizeof of);
    from = of[0] == TYPE_ID ? look_up(of[1]) : NULL;
    if (from == NULL) return NYASH_E_INVALID_HANDLE;
    merge(s, from);
    return nothing(r);
}

static int32_t get(struct store *s, struct text key, struct reply r) {
    int32_t code;
    struct entry *e;
    LOCK_GET(s);
    e = *find(s, key);
    code = e == NULL ? nothing(r) : reply(r, NYASH_TAG_BYTES, e->value.data, e->value.size);
    UNLOCK_GET(s);
    return code;
}

static bool drop(struct store *s, struct text key) {
    struct entry **at, *e;
    LOCK(s);
    at = find(s, key);
    e = *at;
    if (e != NULL) {
        *at = e->next;
        GROW(s, -1);
    }
    UNLOCK(s);
    GROWN(s, e != NULL ? -1 : 0);
    if (e != NULL) free_entry(e);
    return e != NULL;
}

static bool take(struct store *s, int64_t n) {
    bool enough;
    LOCK(s);
    enough = n > 0 && s->balance >= n;
    ENOUGH(s);
    if (enough) s->balance -= n;
    UNLOCK(s);
    return enough;
}

static int32_t invoke(uint32_t method, uint32_t id, const uint8_t *args, size_t n, struct reply r) {
    static const char *const takes[] = {"", "\7\7", "\7", "\7", "", "\3", "\3", "\10", "\7", "\3"};
    struct text a[3];
    struct store *s;
    int64_t result;
    if (method == NYASH_METHOD_BIRTH) return birth(r);
    if (method == NYASH_METHOD_FINI) return fini(id, r);
    if (method < PUT || method > RANK) return NYASH_E_INVALID_METHOD;
    s = look_up(id);
    if (s == NULL) return NYASH_E_INVALID_HANDLE;
    if (!read_args(args, n, takes[method], a)) return NYASH_E_INVALID_ARGS;
    if (*r.length < 16 && method != GET && method != LABEL) { /* all other results are shorter */
        *r.length = 16;
        return NYASH_E_SHORT_BUFFER;
    }
    switch (method) {
    case PUT:
        LOCK(s);
        if (!put_entry(s, a[0], a[1])) {
            UNLOCK(s);
            return NYASH_E_OUT_OF_MEMORY;
        }
        UNLOCK(s);
        GROWN(s, 1);
        return nothing(r);
    case GET:
        return get(s, a[0], r);
    case DROP:
        return reply_bool(r, drop(s, a[0]));
    case GIVE:
        LOCK(s);
        result = s->balance = (int64_t)((uint64_t)s->balance + (uint64_t)(number(a[0]) & 0xffff));
        UNLOCK(s);
        return reply_i64(r, result);
    case TAKE:
        return reply_bool(r, take(s, number(a[0])));
    case MERGE:
        return merge_call(s, a[0], r);
    case LABEL:
        return label(s, r, a[0]);
    case RANK:
        return reply_i64(r, rank(number(a[0])));
    }
    LOCK(s);
    result = s->size;
    UNLOCK(s);
    return reply_i64(r, result);
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

const char *nyash_plugin_config(void) {
    return "[plugins.Store]\ntype_id = 720\n[plugins.Store.methods]\n"
           "put = { method_id = 1, args = [ { name = 'key', to = 'bytes' }, { name = 'value', to = 'bytes' } ], returns = 'void' }\n"
           "get = { method_id = 2, args = [ { name = 'key', to = 'bytes' } ] }\n"
           "drop = { method_id = 3, args = [ { name = 'key', to = 'bytes' } ], returns = 'bool' }\n"
           "size = { method_id = 4, args = [], returns = 'i64' }\n"
           "give = { method_id = 5, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n"
           "take = { method_id = 6, args = [ { name = 'n', to = 'i64' } ], returns = 'bool' }\n"
           "merge = { method_id = 7, args = [ { name = 'from', to = 'handle' } ], returns = 'void' }\n"
           "label = { method_id = 8, args = [ { name = 'text', to = 'bytes' } ], returns = 'bytes' }\n"
           "rank = { method_id = 9, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n";
}

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host;
    ON_INIT;
    info->type_id = TYPE_ID;
    info->type_name = "Store";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    if (type_id != TYPE_ID) return NYASH_E_INVALID_TYPE;
    return invoke(method, instance, args, args_len, (struct reply){result, result_len});
}

void nyash_plugin_shutdown(void) {
    for (struct store *s = stores, *next; s != NULL; s = next) next = s->next, free_store(s);
    stores = NULL;
    last_id = 0;
}
