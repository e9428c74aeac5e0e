/* What the libraries of this folder share: messages, instances, and the symbols of the
 * generation that they are built as.
 *
 * A library defines dispatch and end_all, and ends with the macros of a generation, which
 * the compiler's flags choose: FOUR (the default), INVOKE_ONLY or TABLES. Calls run one at
 * a time, so a box needs no locks. */
#ifndef WILD_H
#define WILD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

enum { MAX_ARGS = 8 };

typedef struct Value {
    uint8_t tag;
    uint16_t size;
    const uint8_t *data;
} Value;

typedef struct Call {
    uint32_t type, method, instance;
    Value args[MAX_ARGS];
    size_t argc;
    uint8_t *result;
    size_t *result_len;
    size_t room;
} Call;

/* ---- arguments ---- */

static inline bool utf8(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t c = s[i];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 4;
        if (more == 4 || n - i <= more)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return false;
        if ((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] > 0x9f) || (c == 0xf0 && s[i + 1] < 0x90) || (c == 0xf4 && s[i + 1] > 0x8f))
            return false;
        i += more + 1;
    }
    return true;
}

/* read_args fills in the call's arguments. */
static inline int32_t read_args(Call *c, const uint8_t *msg, size_t len)
{
    static const int sizes[] = {-1, 1, 4, 8, 4, 8, -1, -1, 8, 0};
    if (msg == NULL || len < 4 || msg[0] != 1 || msg[1] != 0)
        return NYASH_E_INVALID_ARGS;
    size_t argc = (size_t)msg[2] | (size_t)msg[3] << 8, at = 4;
    if (argc > MAX_ARGS)
        return NYASH_E_INVALID_ARGS;
    for (size_t i = 0; i < argc; i++) {
        if (len - at < 4)
            return NYASH_E_INVALID_ARGS;
        Value *v = &c->args[i];
        *v = (Value){msg[at], (uint16_t)(msg[at + 2] | msg[at + 3] << 8), msg + at + 4};
        if (v->tag < NYASH_TAG_BOOL || v->tag > NYASH_TAG_VOID || msg[at + 1] != 0 || len - at - 4 < v->size)
            return NYASH_E_INVALID_ARGS;
        if (sizes[v->tag] >= 0 && sizes[v->tag] != v->size)
            return NYASH_E_INVALID_ARGS;
        if (v->tag == NYASH_TAG_STRING && !utf8(v->data, v->size))
            return NYASH_E_INVALID_UTF8;
        at += 4 + (size_t)v->size;
    }
    c->argc = argc;
    return at == len ? NYASH_OK : NYASH_E_INVALID_ARGS;
}

/* takes tells whether the arguments have these tags, one for each character: s, b (either
 * of String and Bytes), i (I32), n (I32 or I64), f, t (Bool), h. Those behind a question
 * mark may be left out. */
static inline bool takes(const Call *c, const char *tags)
{
    size_t i = 0;
    bool optional = false;
    for (; *tags; tags++) {
        if (*tags == '?') {
            optional = true;
            continue;
        }
        if (i == c->argc)
            return optional;
        uint8_t tag = c->args[i++].tag;
        bool ok = *tags == 's'   ? tag == NYASH_TAG_STRING
                  : *tags == 'b' ? tag == NYASH_TAG_STRING || tag == NYASH_TAG_BYTES
                  : *tags == 'i' ? tag == NYASH_TAG_I32
                  : *tags == 'n' ? tag == NYASH_TAG_I32 || tag == NYASH_TAG_I64
                  : *tags == 'f' ? tag == NYASH_TAG_F64
                  : *tags == 't' ? tag == NYASH_TAG_BOOL
                                 : tag == NYASH_TAG_HANDLE;
        if (!ok)
            return false;
    }
    return i == c->argc;
}

static inline int64_t integer(const Value *v)
{
    int32_t small = 0;
    int64_t large = 0;
    if (v->tag == NYASH_TAG_I32)
        return memcpy(&small, v->data, sizeof small), small;
    return memcpy(&large, v->data, sizeof large), large;
}

static inline void handle(const Value *v, uint32_t *type, uint32_t *instance)
{
    memcpy(type, v->data, 4);
    memcpy(instance, v->data + 4, 4);
}

/* ---- answers ---- */

/* fits asks for room for an answer of this many bytes. It comes before what the method
 * changes: a call that answers -1 is made again. */
static inline bool fits(Call *c, size_t size)
{
    if (c->room >= 8 + size)
        return true;
    *c->result_len = 8 + size;
    return false;
}

static inline int32_t answer(Call *c, uint8_t tag, const void *data, size_t size)
{
    if (size > NYASH_TLV_MAX_PAYLOAD)
        return NYASH_E_PLUGIN;
    if (!fits(c, size))
        return NYASH_E_SHORT_BUFFER;
    memcpy(c->result, "\1\0\1\0", 4);
    c->result[4] = tag;
    c->result[5] = 0;
    c->result[6] = (uint8_t)size;
    c->result[7] = (uint8_t)(size >> 8);
    if (size > 0)
        memcpy(c->result + 8, data, size);
    *c->result_len = 8 + size;
    return NYASH_OK;
}

static inline int32_t answer_text(Call *c, const char *s) { return answer(c, NYASH_TAG_STRING, s, strlen(s)); }
static inline int32_t answer_i64(Call *c, int64_t v) { return answer(c, NYASH_TAG_I64, &v, sizeof v); }
static inline int32_t answer_i32(Call *c, int32_t v) { return answer(c, NYASH_TAG_I32, &v, sizeof v); }
static inline int32_t answer_bool(Call *c, bool v) { return answer(c, NYASH_TAG_BOOL, &(uint8_t){v}, 1); }

static inline int32_t answer_handle(Call *c, uint32_t type, uint32_t instance)
{
    return answer(c, NYASH_TAG_HANDLE, (uint32_t[]){type, instance}, 8);
}

/* fail answers a code with a message, where there is room for that. */
static inline int32_t fail(Call *c, int32_t code, const char *message)
{
    if (c->room >= 8 + strlen(message))
        answer_text(c, message);
    return code;
}

/* answer_nothing leaves the buffer and the length alone, as many plugins do. */
static inline int32_t answer_nothing(void) { return NYASH_OK; }

/* answer_birth answers the new instance's id. */
static inline int32_t answer_birth(Call *c, uint32_t instance)
{
#ifdef BIRTH_HANDLE
    return answer_handle(c, c->type, instance);
#else
    memcpy(c->result, &instance, 4);
    *c->result_len = 4;
    return NYASH_OK;
#endif
}

/* birth_fits is fits for a birth. */
static inline bool birth_fits(Call *c)
{
#ifdef BIRTH_HANDLE
    return fits(c, 8);
#else
    if (c->room >= 4)
        return true;
    *c->result_len = 4;
    return false;
#endif
}

/* ---- instances ---- */

/* Instances are those of all boxes; an id is a place in them, from 1. */
typedef struct Instance {
    uint32_t type;
    void *state;
} Instance;

static struct {
    pthread_mutex_t lock;
    Instance *all;
    size_t count;
} instances = {PTHREAD_MUTEX_INITIALIZER, NULL, 0};

/* make adds an instance with zeroed state; 0 where memory is out. */
static inline uint32_t make(uint32_t type, size_t size)
{
    size_t i = 0;
    while (i < instances.count && instances.all[i].state != NULL)
        i++;
    if (i == instances.count) {
        Instance *all = realloc(instances.all, (i + 16) * sizeof *all);
        if (all == NULL)
            return 0;
        memset(all + i, 0, 16 * sizeof *all);
        instances.all = all;
        instances.count = i + 16;
    }
    instances.all[i] = (Instance){type, calloc(1, size)};
    return instances.all[i].state == NULL ? 0 : (uint32_t)i + 1;
}

static inline void *find(uint32_t type, uint32_t id)
{
    if (id == 0 || id > instances.count || instances.all[id - 1].type != type)
        return NULL;
    return instances.all[id - 1].state;
}

static inline void drop(uint32_t id)
{
    free(instances.all[id - 1].state);
    instances.all[id - 1].state = NULL;
}

/* copy_text is a value's bytes with a NUL behind them. */
static inline char *copy_text(const Value *v)
{
    char *text = malloc((size_t)v->size + 1);
    if (text != NULL) {
        memcpy(text, v->data, v->size);
        text[v->size] = 0;
    }
    return text;
}

/* ---- the library ---- */

static int32_t dispatch(Call *c);
static void end_all(void) __attribute__((unused)); /* which only shutdown calls */

static inline int32_t serve(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len)
{
    if (result_len == NULL)
        return NYASH_E_INVALID_ARGS;
    Call c = {.type = type, .method = method, .instance = instance, .result = result, .result_len = result_len, .room = result == NULL ? 0 : *result_len};
    pthread_mutex_lock(&instances.lock);
    int32_t code = method == NYASH_METHOD_FINI ? NYASH_OK : read_args(&c, args, args_len);
    if (code == NYASH_OK)
        code = dispatch(&c);
    pthread_mutex_unlock(&instances.lock);
    return code;
}

/* The generations: all four functions, invoke alone, and tables. */
#define INVOKE                                                                                                  \
    NYASH_EXPORT int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance,                 \
                                             const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) \
    {                                                                                                           \
        return serve(type, method, instance, args, args_len, result, result_len);                              \
    }

#define FOUR_SYMBOLS(TYPE, NAME, COUNT, LIST)                                                         \
    INVOKE                                                                                             \
    NYASH_EXPORT uint32_t nyash_plugin_abi(void) { return 1; }                                         \
    NYASH_EXPORT int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info)         \
    {                                                                                                  \
        (void)host;                                                                                    \
        *info = (NyashPluginInfo){TYPE, NAME, COUNT, LIST};                                           \
        return NYASH_OK;                                                                               \
    }                                                                                                  \
    NYASH_EXPORT void nyash_plugin_shutdown(void)                                                      \
    {                                                                                                  \
        end_all();                                                                                     \
        free(instances.all);                                                                           \
        instances.all = NULL;                                                                          \
        instances.count = 0;                                                                           \
    }

#define TABLE(box, TYPE, RESOLVE)                                                                                      \
    static int32_t invoke_##box(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len,              \
                                uint8_t *result, size_t *result_len)                                                   \
    {                                                                                                                  \
        return serve(TYPE, method, instance, args, args_len, result, result_len);                                 \
    }                                                                                                                  \
    extern NYASH_EXPORT const NyashTypeBox nyash_typebox_##box;                                                        \
    const NyashTypeBox nyash_typebox_##box = {NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof(NyashTypeBox), #box, RESOLVE, invoke_##box, 0};

#endif
