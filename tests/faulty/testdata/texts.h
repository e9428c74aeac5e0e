/* A plugin with state, without a fault: box Texts, type 720, which keeps texts by key. The
 * files that include this one each define one macro in another way, and so have one fault
 * that only sequences of calls show. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

#define TYPE_ID UINT32_C(720)

enum { PUT = 1, GET, DROP, KEYS, COUNT, AT, MERGE, SETNUM, NUM, SETDATA, DATA, CLEAR, SCALE, TAIL };

struct entry {
    char *key, *value;
    size_t key_size, value_size;
};

struct store {
    struct entry *entries;
    size_t count, room;
    int64_t num;
    double scale;
    int64_t owner;
    uint8_t *data;
    size_t data_size;
};

struct text {
    const uint8_t *at;
    size_t size;
};

static const NyashHostVtable *host;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct store **stores;
static uint32_t last_id, capacity;

/* What a fault replaces. */
#ifndef STATE /* between the includes and the functions */
#define STATE
#endif
#ifndef SIZE_OF_KEYS /* the type that the size of all keys is computed in */
#define SIZE_OF_KEYS size_t
#endif
#ifndef SIZE_OF_VALUE
#define SIZE_OF_VALUE size_t
#endif
#ifndef NUMBER
#define NUMBER int64_t
#endif
#ifndef SET_NUM
#define SET_NUM(s, i) ((s)->num = (NUMBER)(i))
#endif
#ifndef FACTOR
#define FACTOR double
#endif
#ifndef ANSWERED_COUNT
#define ANSWERED_COUNT int64_t
#endif
#ifndef COPY
#define COPY(to, from, size) memcpy(to, from, size)
#endif
#ifndef STORED_SIZE
#define STORED_SIZE(at, size) (size)
#endif
#ifndef FREE_VALUE /* of a key that is put again */
#define FREE_VALUE(e) free((e)->value)
#endif
#ifndef SAME_KEY
#define SAME_KEY(e, k) ((e)->key_size == (k).size && memcmp((e)->key, (k).at, (k).size) == 0)
#endif
#ifndef GROW
#define GROW(s) grow(s)
#endif
#ifndef FREE_ENTRY /* of a key that is dropped */
#define FREE_ENTRY(s, e) (free((e)->key), free((e)->value))
#endif
#ifndef FREED_FIRST /* before it is answered */
#define FREED_FIRST false
#endif
#ifndef CLOSE_GAP
#define CLOSE_GAP(s, i) memmove(&(s)->entries[i], &(s)->entries[(i) + 1], ((s)->count - (i) - 1) * sizeof *(s)->entries)
#endif
#ifndef DROP_FITS
#define DROP_FITS(r, e) fits(r, (e)->value_size)
#endif
#ifndef IN_RANGE
#define IN_RANGE(s, i) ((i) >= 0 && (uint64_t)(i) < (s)->count)
#endif
#ifndef AFTER_CLEAR
#define AFTER_CLEAR(s) ((s)->entries = NULL, (s)->room = 0)
#endif
#ifndef OTHER
#define OTHER(type, id) ((type) == TYPE_ID ? look_up(id) : NULL)
#endif
#ifndef MERGE_GUARD /* a store into itself */
#define MERGE_GUARD(s, from) ((s) == (from))
#endif
#ifndef OF_SELF
#define OF_SELF(s) (s)
#endif
#ifndef KEEP_DATA
#define KEEP_DATA 0
#endif
#ifndef FREE_STORE
#define FREE_STORE(s) free_store(s)
#endif
#ifndef ON_SHUTDOWN
#define ON_SHUTDOWN
#endif
#ifndef NEW_STORE
#define NEW_STORE() calloc(1, sizeof(struct store))
#endif
#ifndef TAIL_OF
#define TAIL_OF(s) ((s)->count == 0 ? NULL : &(s)->entries[(s)->count - 1])
#endif
#ifndef ON_PUT
#define ON_PUT(s)
#endif
#ifndef JOIN_KEYS
#define JOIN_KEYS(s, out) join_keys(s, out)
#endif
#ifndef ON_NUM
#define ON_NUM(s) (s)->num
#endif

#include "reply.h"

static struct store *look_up(uint32_t id) { return id == 0 || id > last_id ? NULL : stores[id]; }

STATE

static struct entry *find(struct store *s, struct text key) {
    for (size_t i = 0; i < s->count; i++)
        if (SAME_KEY(&s->entries[i], key)) return &s->entries[i];
    return NULL;
}

__attribute__((unused)) static bool grow(struct store *s) {
    size_t room = s->room == 0 ? 4 : 2 * s->room;
    struct entry *grown;
    if (s->count < s->room) return true;
    grown = realloc(s->entries, room * sizeof *grown);
    if (grown == NULL) return false;
    s->entries = grown;
    s->room = room;
    return true;
}

static void free_data(struct store *s) {
    if (KEEP_DATA == 0 || s->data_size <= KEEP_DATA) free(s->data);
}

static void forget(struct store *s) {
    for (size_t i = 0; i < s->count; i++) FREE_ENTRY(s, &s->entries[i]);
    free(s->entries);
    s->count = 0;
}

__attribute__((unused)) static void free_store(struct store *s) {
    forget(s);
    free_data(s);
    free(s);
}

static bool put(struct store *s, struct text key, struct text value) {
    struct entry *e = find(s, key);
    size_t size = STORED_SIZE(value.at, value.size);
    char *copy = malloc(value.size + 1);
    if (copy == NULL) return false;
    COPY(copy, (const char *)value.at, value.size);
    ON_PUT(s);
    if (e != NULL) {
        FREE_VALUE(e);
    } else {
        if (!GROW(s) || s->count == s->room) {
            free(copy);
            return false;
        }
        e = &s->entries[s->count++];
        e->key = malloc(key.size + 1);
        if (e->key == NULL) return s->count--, free(copy), false;
        memcpy(e->key, key.at, key.size);
        e->key_size = key.size;
    }
    e->value = copy;
    e->value_size = (SIZE_OF_VALUE)size;
    return true;
}

static size_t keys_size(struct store *s) {
    SIZE_OF_KEYS size = 0;
    for (size_t i = 0; i < s->count; i++) size += s->entries[i].key_size + 1;
    return size;
}

__attribute__((unused)) static void join_keys(struct store *s, char *out) {
    size_t at = 0;
    for (size_t i = 0; i < s->count; i++) {
        memcpy(out + at, s->entries[i].key, s->entries[i].key_size);
        at += s->entries[i].key_size;
        out[at++] = ',';
    }
}

static int32_t keys(struct store *s, struct reply r) {
    size_t size = keys_size(s), all = 1;
    char *out;
    int32_t code;
    if (size > 65535) return NYASH_E_PLUGIN;
    if (!fits(r, size)) return NYASH_E_SHORT_BUFFER;
    for (size_t i = 0; i < s->count; i++) all += s->entries[i].key_size + 1;
    out = malloc(all);
    if (out == NULL) return NYASH_E_OUT_OF_MEMORY;
    JOIN_KEYS(s, out);
    code = reply(r, NYASH_TAG_STRING, out, size);
    free(out);
    return code;
}

static int32_t drop(struct store *s, struct reply r, struct text key) {
    struct entry *e = find(s, key);
    struct entry gone;
    int32_t code;
    if (e == NULL) return reply(r, NYASH_TAG_STRING, "", 0);
    if (!DROP_FITS(r, e)) return NYASH_E_SHORT_BUFFER;
    gone = *e;
    CLOSE_GAP(s, e - s->entries);
    s->count--;
    if (FREED_FIRST) free(gone.value);
    code = reply(r, NYASH_TAG_STRING, gone.value, gone.value_size);
    if (FREED_FIRST) gone.value = NULL;
    FREE_ENTRY(s, &gone);
    return code;
}

static int32_t merge(struct store *s, struct reply r, uint32_t type, uint32_t id) {
    struct store *from = OTHER(type, id);
    if (from == NULL) return NYASH_E_INVALID_HANDLE;
    if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;
    if (!MERGE_GUARD(s, from))
        for (size_t i = 0; i < from->count; i++) {
            struct entry *e = &from->entries[i];
            struct text key = {(uint8_t *)e->key, e->key_size}, value = {(uint8_t *)e->value, e->value_size};
            if (!put(s, key, value)) return NYASH_E_OUT_OF_MEMORY;
        }
    return reply_i64(r, (int64_t)s->count);
}

static int32_t set_data(struct store *s, struct reply r, const uint8_t *data, size_t size) {
    uint8_t *copy;
    if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;
    copy = KEEP_DATA > 0 && size > KEEP_DATA ? (uint8_t *)(uintptr_t)data : malloc(size + 1);
    if (copy == NULL) return NYASH_E_OUT_OF_MEMORY;
    if (size > 0 && copy != data) memcpy(copy, data, size);
    free_data(s);
    s->data = copy;
    s->data_size = size;
    return reply_i64(r, (int64_t)size);
}

static int32_t sum_of(struct store *s, struct reply r) {
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < s->data_size; i++) sum = (sum ^ s->data[i]) * 1099511628211u;
    return reply_i64(r, (int64_t)sum);
}

/* The arguments of a message, as tags say; they end in 0. */
static bool arguments(const uint8_t *args, size_t n, const uint8_t *tags, struct text *out) {
    size_t at = 4, count = 0;
    if (n < 4 || args[0] != 1 || args[1] != 0 || args[3] != 0) return false;
    for (; tags[count] != 0; count++) {
        size_t size;
        if (n - at < 4 || args[at] != tags[count] || args[at + 1] != 0) return false;
        size = args[at + 2] | (size_t)args[at + 3] << 8;
        at += 4;
        if (n - at < size) return false;
        if ((tags[count] == NYASH_TAG_I64 || tags[count] == NYASH_TAG_F64 || tags[count] == NYASH_TAG_HANDLE) && size != 8) return false;
        if (tags[count] == NYASH_TAG_BLOB && size != 16) return false;
        if (tags[count] == NYASH_TAG_STRING && !utf8(args + at, size)) return false;
        out[count].at = args + at;
        out[count].size = size;
        at += size;
    }
    return args[2] == count && at == n;
}

static int32_t call(struct store *s, uint32_t method, const uint8_t *args, size_t n, struct reply r) {
    static const uint8_t text_text[] = {NYASH_TAG_STRING, NYASH_TAG_STRING, 0}, text[] = {NYASH_TAG_STRING, 0},
                         number[] = {NYASH_TAG_I64, 0}, handle[] = {NYASH_TAG_HANDLE, 0}, blob[] = {NYASH_TAG_BLOB, 0},
                         factor[] = {NYASH_TAG_F64, 0}, none[] = {0};
    static const uint8_t *const takes[] = {none, text_text, text, text, none, none, number, handle, number, none, blob, none, none, factor, none};
    struct text a[2] = {{NULL, 0}, {NULL, 0}};
    struct entry *e;
    uint32_t h[2];
    uint64_t b[2];
    int64_t i;
    double f;
    if (!arguments(args, n, takes[method], a)) return NYASH_E_INVALID_ARGS;
    s = OF_SELF(s);
    switch (method) {
    case PUT:
        if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;
        if (!put(s, a[0], a[1])) return NYASH_E_OUT_OF_MEMORY;
        return reply_i64(r, (int64_t)s->count);
    case GET:
        e = find(s, a[0]);
        return e == NULL ? NYASH_E_PLUGIN : reply(r, NYASH_TAG_STRING, e->value, e->value_size);
    case DROP:
        return drop(s, r, a[0]);
    case KEYS:
        return keys(s, r);
    case COUNT:
        return reply_i64(r, (ANSWERED_COUNT)s->count);
    case AT:
        memcpy(&i, a[0].at, 8);
        if (!IN_RANGE(s, i)) return NYASH_E_PLUGIN;
        return reply(r, NYASH_TAG_STRING, s->entries[i].key, s->entries[i].key_size);
    case MERGE:
        memcpy(h, a[0].at, 8);
        return merge(s, r, h[0], h[1]);
    case SETNUM:
        memcpy(&i, a[0].at, 8);
        if (!fits(r, 8)) return NYASH_E_SHORT_BUFFER;
        SET_NUM(s, i);
        return reply_i64(r, (int64_t)s->count);
    case NUM:
        return reply_i64(r, ON_NUM(s));
    case SETDATA:
        memcpy(b, a[0].at, 16);
        return set_data(s, r, (const uint8_t *)(uintptr_t)b[0], (size_t)b[1]);
    case DATA:
        return sum_of(s, r);
    case CLEAR:
        forget(s);
        AFTER_CLEAR(s);
        return nothing(r);
    case SCALE:
        memcpy(&f, a[0].at, 8);
        s->scale = (FACTOR)f;
        return reply(r, NYASH_TAG_F64, &s->scale, 8);
    default:
        e = TAIL_OF(s);
        return e == NULL ? reply(r, NYASH_TAG_STRING, "", 0) : reply(r, NYASH_TAG_STRING, e->value, e->value_size);
    }
}

static int32_t birth(struct reply r) {
    uint32_t id = last_id + 1;
    if (*r.length < 4) {
        *r.length = 4;
        return NYASH_E_SHORT_BUFFER;
    }
    if (id >= capacity) {
        uint32_t more = capacity == 0 ? 64 : 2 * capacity;
        struct store **grown = realloc(stores, more * sizeof *grown);
        if (grown == NULL) return NYASH_E_OUT_OF_MEMORY;
        stores = grown;
        capacity = more;
    }
    if ((stores[id] = NEW_STORE()) == NULL) return NYASH_E_OUT_OF_MEMORY;
    last_id = id;
    memcpy(r.at, &id, 4);
    *r.length = 4;
    return NYASH_OK;
}

static int32_t any(uint32_t method, uint32_t id, const uint8_t *args, size_t n, struct reply r) {
    struct store *s;
    if (method == NYASH_METHOD_BIRTH) return birth(r);
    if (method != NYASH_METHOD_FINI && (method < PUT || method > TAIL)) return NYASH_E_INVALID_METHOD;
    s = look_up(id);
    if (s == NULL) return NYASH_E_INVALID_HANDLE;
    if (method != NYASH_METHOD_FINI) return call(s, method, args, n, r);
    stores[id] = NULL;
    FREE_STORE(s);
    return nothing(r);
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

const char *nyash_plugin_config(void) {
    return "[plugins.Texts]\ntype_id = 720\n[plugins.Texts.methods]\n"
           "put = { method_id = 1, args = [ { name = 'key', to = 'string' }, { name = 'value', to = 'string' } ], returns = 'i64' }\n"
           "get = { method_id = 2, args = [ { name = 'key', to = 'string' } ], returns = 'string' }\n"
           "drop = { method_id = 3, args = [ { name = 'key', to = 'string' } ], returns = 'string' }\n"
           "keys = { method_id = 4, args = [], returns = 'string' }\n"
           "count = { method_id = 5, args = [], returns = 'i64' }\n"
           "at = { method_id = 6, args = [ { name = 'index', from = 'integer', to = 'i64' } ], returns = 'string' }\n"
           "merge = { method_id = 7, args = [ { name = 'other', from = 'box', to = 'handle' } ], returns = 'i64' }\n"
           "setNumber = { method_id = 8, args = [ { name = 'n', from = 'integer', to = 'i64' } ], returns = 'i64' }\n"
           "number = { method_id = 9, args = [], returns = 'i64' }\n"
           "setData = { method_id = 10, args = [ { name = 'data', from = 'bytes', to = 'blob' } ], returns = 'i64' }\n"
           "data = { method_id = 11, args = [], returns = 'i64' }\n"
           "clear = { method_id = 12, args = [], returns = 'void' }\n"
           "scale = { method_id = 13, args = [ { name = 'by', from = 'float', to = 'f64' } ], returns = 'f64' }\n"
           "tail = { method_id = 14, args = [], returns = 'string' }\n";
}

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    (void)info;
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    struct reply r = {result, result_len};
    int32_t code;
    if (type_id != TYPE_ID) return NYASH_E_INVALID_TYPE;
    pthread_mutex_lock(&lock);
    code = any(method, instance, args, args_len, r);
    pthread_mutex_unlock(&lock);
    return code;
}

void nyash_plugin_shutdown(void) {
    ON_SHUTDOWN;
    for (uint32_t id = 1; id <= last_id; id++)
        if (stores[id] != NULL) FREE_STORE(stores[id]);
    free(stores);
    stores = NULL;
    last_id = capacity = 0;
}
