/*
 * nyash_use.h: call the boxes of the host, and those of other plugins, from a
 * plugin that is written with nyash.h.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * Clean as C99 and as C++17 with -Wall -Wextra -Wpedantic.
 *
 *     #include "nyash_use.h"
 *
 *     static NyashUse counter_birth = NYASH_USE("CounterBox", "birth");
 *     static NyashUse counter_add = NYASH_USE("CounterBox", "add");
 *
 *     static int32_t twice(NyashContext *c)
 *     {
 *         NyashHandle counter;
 *         NyashUseError error;
 *         int64_t n = nyash_arg_i64(c, 0);
 *
 *         if (nyash_use_new(&counter_birth, &counter, NYASH_NO_ARGS, &error) != NYASH_OK)
 *             return nyash_error_use(c, &error);
 *         nyash_use_call(&counter_add, &counter, nyash_to_nothing(), NYASH_PASS(nyash_pass_i64(n)), &error);
 *         if (error.code == NYASH_OK)
 *             nyash_use_call(&counter_add, &counter, nyash_to_i64(&n), NYASH_PASS(nyash_pass_i64(n)), &error);
 *         nyash_drop(&counter);
 *         return error.code == NYASH_OK ? nyash_return_i64(c, n) : nyash_error_use(c, &error);
 *     }
 *     ...
 *     static const NyashBox shop = {.name = "ShopBox", ..., .uses = {"CounterBox"}};
 *
 *     NYASH_PLUGIN(&shop)
 *     NYASH_CONNECT
 *
 * NYASH_CONNECT belongs behind NYASH_PLUGIN, once in the library; without it what
 * calls the host does not link. uses is what the library asks for, and `uses` in
 * nyash.toml is what it gets: `nyash inspect --toml` prints the line.
 *
 * Methods are looked up by their names at the first call of each, and never
 * again. The host compares the arguments with what nyash.toml declares and
 * converts nothing: an argument declared i64 needs nyash_pass_i64.
 *
 * Handles: one that nyash_use_new or a result gives is held, until nyash_drop or
 * until nyash_return_handle passes the hold on. One that is an argument of a
 * method (NYASH_FOREIGN) is lent until the method returns. Of a singleton each
 * hold is one on the shared instance.
 *
 * Threads: everything here may be called from any thread, also one of the
 * plugin's own, but on one handle nyash_drop runs alone. A method holds its
 * instances' locks while it calls: a call that comes back to one of them on the
 * same thread is an error; on another thread, as in a process of its own, it waits
 * for ever. A box that is to be called back has `threads = "serial"`, with which
 * the host answers such calls with an error, or is NYASH_CONCURRENT. Behind
 * nyash_plugin_shutdown calls answer NYASH_E_PLUGIN without reaching the host.
 */
#ifndef NYASH_USE_H
#define NYASH_USE_H

#include "nyash.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Errors ------------------------------------------------------------ */

/* What a call ended with. */
typedef struct NyashUseError {
    int32_t code;       /* NYASH_OK, the code of who was called, or one of the SDK's */
    char message[1024]; /* "CounterBox.add: what is wrong", UTF-8, cut where it is longer; empty if the code is NYASH_OK */
} NyashUseError;

/* A method of a box that the plugin calls; static, as what is found stays in it. */
typedef struct NyashUse {
    const char *box;
    const char *method;          /* "birth" makes an instance */
    NYASH_SHARED uint64_t ids;   /* type_id << 32 | method_id, good in this life */
    NYASH_SHARED uint32_t life;  /* of the library; 0: not looked up */
} NyashUse;

#define NYASH_USE(box, method) {(box), (method), 0, 0}

/* What a code means, for one that comes without a message. */
static inline const char *nyash_code_text(int32_t code)
{
    static const char *const texts[] = {"short buffer", "there is no such box", "it has no such method",
                                        "invalid arguments", "it failed", "out of memory", "invalid UTF-8",
                                        "invalid handle", "version mismatch", "not permitted: nyash.toml has to list it in uses"};

    return code <= -1 && code >= -10 ? texts[-1 - code] : "it failed";
}

/* Ends a call with an error, which may be NULL. Returns its code. */
NYASH_PRINTF(4, 5) static inline int32_t nyash_use_fail(const NyashUse *use, NyashUseError *error, int32_t code,
                                                       const char *format, ...)
{
    va_list args;
    int head, text;
    size_t room;

    if (error == NULL)
        return code;
    error->code = code;
    head = snprintf(error->message, sizeof error->message, "%.200s.%.200s: ", use->box, use->method);
    room = sizeof error->message - (size_t)head;
    va_start(args, format);
    text = vsnprintf(error->message + head, room, format, args);
    va_end(args);
    error->message[nyash_utf8_clean((uint8_t *)error->message, strlen(error->message), text >= (int)room)] = '\0';
    return code;
}

/* The code that a method answers when a call of its has ended with this one: what
 * says something of the called library only becomes NYASH_E_PLUGIN. */
static inline int32_t nyash_own_code(int32_t code)
{
    switch (code) {
    case NYASH_OK:
    case NYASH_E_SHORT_BUFFER:
    case NYASH_E_INVALID_TYPE:
    case NYASH_E_INVALID_METHOD:
    case NYASH_E_VERSION:
    case 1: /* pending */
        return NYASH_E_PLUGIN;
    }
    return code;
}

/* Ends a method with the error of a call. */
static inline int32_t nyash_error_use(NyashContext *c, const NyashUseError *error)
{
    return nyash_error(c, nyash_own_code(error->code), "%s", error->message);
}

/* ---- Arguments of calls ------------------------------------------------ */

/* A value that is passed. What it points at has to last until the call returns. */
typedef struct NyashPass {
    unsigned tag;
    uint64_t bits;
    const void *data;
    size_t size;
} NyashPass;

static inline NyashPass nyash_pass(unsigned tag, uint64_t bits, const void *data, size_t size)
{
    NyashPass p;

    p.tag = tag;
    p.bits = bits;
    p.data = data;
    p.size = size;
    return p;
}

static inline NyashPass nyash_pass_bool(int v) { return nyash_pass(NYASH_TAG_BOOL, v != 0, NULL, 0); }
static inline NyashPass nyash_pass_i32(int32_t v) { return nyash_pass(NYASH_TAG_I32, (uint32_t)v, NULL, 0); }
static inline NyashPass nyash_pass_i64(int64_t v) { return nyash_pass(NYASH_TAG_I64, (uint64_t)v, NULL, 0); }

static inline NyashPass nyash_pass_f32(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    return nyash_pass(NYASH_TAG_F32, bits, NULL, 0);
}

static inline NyashPass nyash_pass_f64(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return nyash_pass(NYASH_TAG_F64, bits, NULL, 0);
}

static inline NyashPass nyash_pass_string(const char *text, size_t size)
{
    return nyash_pass(NYASH_TAG_STRING, 0, text, size);
}

/* Text that ends in NUL. */
static inline NyashPass nyash_pass_text(const char *text) { return nyash_pass_string(text, strlen(text)); }

static inline NyashPass nyash_pass_bytes(const void *data, size_t size)
{
    return nyash_pass(NYASH_TAG_BYTES, 0, data, size);
}

/* Memory of any length, for an argument that is declared blob. */
static inline NyashPass nyash_pass_blob(const void *data, size_t size)
{
    return nyash_pass(NYASH_TAG_BLOB, 0, data, size);
}

static inline NyashPass nyash_pass_void(void) { return nyash_pass(NYASH_TAG_VOID, 0, NULL, 0); }

/* Lends a box of another library. */
static inline NyashPass nyash_pass_handle(const NyashHandle *h)
{
    uint64_t ids = h->type_id | (uint64_t)h->instance_id << 32;

    return nyash_pass(NYASH_TAG_HANDLE, h->life == NYASH_LOAD(&nyash_state.life) ? ids : 0, NULL, 0);
}

/* Lends the instance of this library that has this state: the method's own, or
 * an argument's. One that is being born cannot be lent yet. */
static inline NyashPass nyash_pass_instance(const void *state)
{
    NyashInstance *i = nyash_instance_of(state);

    return nyash_pass(NYASH_TAG_HANDLE, i->box->type_id | (NYASH_LOAD(&i->held) >> 32) << 32, NULL, 0);
}

/* The arguments of a call, of which there are two parameters: values and their
 * number. */
#define NYASH_NO_ARGS NULL, 0
#define NYASH_PASS(...) \
    (const NyashPass[]){__VA_ARGS__}, sizeof((const NyashPass[]){__VA_ARGS__}) / sizeof(NyashPass)

static inline void nyash_write_passed(NyashWriter *w, const NyashPass *p)
{
    switch (p->tag) {
    case NYASH_TAG_BOOL:
        nyash_write_bool(w, p->bits != 0);
        break;
    case NYASH_TAG_I32:
    case NYASH_TAG_F32:
        nyash_write_u32(w, p->tag, (uint32_t)p->bits);
        break;
    case NYASH_TAG_STRING:
        nyash_write_string(w, (const char *)p->data, p->size);
        break;
    case NYASH_TAG_BYTES:
        nyash_write_bytes(w, p->data, p->size);
        break;
    case NYASH_TAG_BLOB:
        nyash_write_blob(w, p->size == 0 ? 0 : (uint64_t)(uintptr_t)p->data, p->size);
        break;
    case NYASH_TAG_VOID:
        nyash_write_void(w);
        break;
    default: /* i64, f64, handle */
        nyash_write_u64(w, p->tag, p->bits);
    }
}

/* Writes the arguments. Returns a code, with the error. */
static inline int32_t nyash_pass_all(const NyashUse *use, NyashWriter *w, const NyashPass *args, size_t count,
                                     NyashUseError *error)
{
    size_t i;

    for (i = 0; i < count; i++) {
        unsigned long number = (unsigned long)i + 1;

        if (args[i].tag == NYASH_TAG_HANDLE && args[i].bits >> 32 == 0)
            return nyash_use_fail(use, error, NYASH_E_INVALID_HANDLE, "argument %lu: the handle names no instance", number);
        nyash_write_passed(w, &args[i]);
        if (w->error == NYASH_TLV_E_UTF8)
            return nyash_use_fail(use, error, NYASH_E_INVALID_UTF8, "argument %lu: it is not UTF-8", number);
        if (w->error == NYASH_TLV_E_TOO_LARGE)
            return nyash_use_fail(use, error, NYASH_E_INVALID_ARGS,
                                  "argument %lu: it has %lu bytes, at most %d can be passed but in a blob", number,
                                  (unsigned long)args[i].size, NYASH_TLV_MAX_PAYLOAD);
        if (w->error != NYASH_TLV_OK)
            return nyash_use_fail(use, error, NYASH_E_INVALID_ARGS, "there are too many arguments");
    }
    return NYASH_OK;
}

/* ---- Results of calls -------------------------------------------------- */

/* Where a result goes, and of which type it has to be. */
typedef struct NyashTo {
    uint32_t type; /* 0: of any, and it goes nowhere */
    void *to;
    size_t *size;
    int *given; /* not NULL: the result may be Void */
} NyashTo;

static inline NyashTo nyash_to(uint32_t type, void *to, size_t *size)
{
    NyashTo t;

    t.type = type;
    t.to = to;
    t.size = size;
    t.given = NULL;
    return t;
}

/* A result that nobody wants: a hold that it is is given up, a blob freed. */
static inline NyashTo nyash_to_nothing(void) { return nyash_to(0, NULL, NULL); }

static inline NyashTo nyash_to_bool(int *v) { return nyash_to(NYASH_BOOL, v, NULL); }
static inline NyashTo nyash_to_i32(int32_t *v) { return nyash_to(NYASH_I32, v, NULL); }
static inline NyashTo nyash_to_i64(int64_t *v) { return nyash_to(NYASH_I64, v, NULL); } /* also of an I32 */
static inline NyashTo nyash_to_f32(float *v) { return nyash_to(NYASH_F32, v, NULL); }
static inline NyashTo nyash_to_f64(double *v) { return nyash_to(NYASH_F64, v, NULL); } /* also of an F32 */

/* A String, with a NUL behind it. The caller frees *text with free; size may be
 * NULL. */
static inline NyashTo nyash_to_text(char **text, size_t *size) { return nyash_to(NYASH_STRING, (void *)text, size); }

/* Bytes or a String. The caller frees *data with free. */
static inline NyashTo nyash_to_bytes(uint8_t **data, size_t *size) { return nyash_to(NYASH_BYTES, (void *)data, size); }

/* A blob, which the caller gives to nyash_blob_free or nyash_return_blob_owned. */
static inline NyashTo nyash_to_blob(uint8_t **data, size_t *size) { return nyash_to(NYASH_BLOB, (void *)data, size); }

/* A box, which is then held. */
static inline NyashTo nyash_to_handle(NyashHandle *h) { return nyash_to(NYASH_FOREIGN, h, NULL); }

/* One of these that may be left out: *given says whether there is a result. */
static inline NyashTo nyash_to_optional(NyashTo to, int *given)
{
    to.given = given;
    return to;
}

/* Makes 0, NULL or an empty handle of what a result would have filled in. */
static inline void nyash_to_clear(NyashTo to)
{
    if (to.size != NULL)
        *to.size = 0;
    if (to.given != NULL)
        *to.given = 0;
    switch (to.type) {
    case NYASH_BOOL:
        *(int *)to.to = 0;
        break;
    case NYASH_I32:
        *(int32_t *)to.to = 0;
        break;
    case NYASH_I64:
        *(int64_t *)to.to = 0;
        break;
    case NYASH_F32:
        *(float *)to.to = 0;
        break;
    case NYASH_F64:
        *(double *)to.to = 0;
        break;
    case NYASH_STRING:
        *(char **)to.to = NULL;
        break;
    case NYASH_BYTES:
    case NYASH_BLOB:
        *(uint8_t **)to.to = NULL;
        break;
    case NYASH_FOREIGN:
        memset(to.to, 0, sizeof(NyashHandle));
        break;
    }
}

/* The answer to a call, with what of it nobody has taken. */
typedef struct NyashAnswer {
    NyashValue value; /* Void if there is no result */
    uint32_t life;
    uint8_t *large; /* in place of room, or NULL */
    uint8_t room[1024];
} NyashAnswer;

static inline NyashHandle nyash_answer_handle(NyashAnswer *a)
{
    NyashHandle h;

    h.type_id = nyash_value_type(&a->value);
    h.instance_id = nyash_value_instance(&a->value);
    h.life = a->life;
    h.held = 1;
    a->value.tag = NYASH_TAG_VOID;
    return h;
}

static inline void nyash_answer_free(NyashAnswer *a)
{
    if (a->value.tag == NYASH_TAG_HANDLE) {
        NyashHandle h = nyash_answer_handle(a);
        nyash_drop(&h);
    } else if (a->value.tag == NYASH_TAG_BLOB) {
        nyash_blob_free((uint8_t *)(uintptr_t)nyash_get_u64(a->value.data));
    }
    free(a->large);
}

/* Reads the message of an answer, which has at most one value. */
static inline int nyash_answer_read(NyashAnswer *a, const uint8_t *data, size_t size)
{
    NyashReader r;
    NyashValue behind;

    if (nyash_reader_open(&r, data, size) != 0 || r.count > 1 || nyash_reader_next(&r, &a->value) < 0 ||
        (r.count == 1 && nyash_reader_next(&r, &behind) != 0)) {
        a->value.tag = NYASH_TAG_VOID;
        return -1;
    }
    return 0;
}

/* A copy with a NUL behind it, or NULL. */
static inline uint8_t *nyash_copy(NyashBytes bytes)
{
    uint8_t *copy = (uint8_t *)malloc(bytes.size + 1);

    if (copy == NULL)
        return NULL;
    if (bytes.size != 0)
        memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return copy;
}

/* Moves a result to where it goes. */
static inline int32_t nyash_answer_take(const NyashUse *use, NyashAnswer *a, NyashTo to, NyashUseError *error)
{
    const NyashValue *v = &a->value;
    NyashBytes bytes = nyash_value_bytes(v);
    const char *wanted;
    uint32_t tags;

    if (to.type == 0 || (v->tag == NYASH_TAG_VOID && to.given != NULL))
        return NYASH_OK;
    wanted = nyash_wanted(to.type, &tags);
    if ((tags >> v->tag & 1) == 0)
        return nyash_use_fail(use, error, NYASH_E_PLUGIN, "the result is %s, wanted %s", nyash_type_name(v->tag), wanted);
    if (to.given != NULL)
        *to.given = 1;
    switch (to.type) {
    case NYASH_BOOL:
        *(int *)to.to = nyash_value_bool(v);
        break;
    case NYASH_I32:
        *(int32_t *)to.to = nyash_value_i32(v);
        break;
    case NYASH_I64:
        *(int64_t *)to.to = nyash_value_i64(v);
        break;
    case NYASH_F32:
        *(float *)to.to = nyash_value_f32(v);
        break;
    case NYASH_F64:
        *(double *)to.to = nyash_value_f64(v);
        break;
    case NYASH_STRING:
        *(char **)to.to = (char *)nyash_copy(bytes);
        break;
    case NYASH_BYTES:
        *(uint8_t **)to.to = nyash_copy(bytes);
        break;
    case NYASH_BLOB:
        bytes = nyash_value_blob(v);
        *(uint8_t **)to.to = (uint8_t *)(uintptr_t)nyash_get_u64(v->data);
        a->value.tag = NYASH_TAG_VOID;
        break;
    case NYASH_FOREIGN:
        *(NyashHandle *)to.to = nyash_answer_handle(a);
        break;
    }
    if ((to.type == NYASH_STRING && *(char **)to.to == NULL) || (to.type == NYASH_BYTES && *(uint8_t **)to.to == NULL))
        return nyash_use_fail(use, error, NYASH_E_OUT_OF_MEMORY, "out of memory for a result of %lu bytes",
                              (unsigned long)bytes.size);
    if (to.size != NULL)
        *to.size = bytes.size;
    return NYASH_OK;
}

/* ---- Calls ------------------------------------------------------------- */

/* What NYASH_CONNECT defines. A linker that does not find it says what to do. */
extern NYASH_HIDDEN const char nyash_calls_need_NYASH_CONNECT;

/* Whether an entry of a box's uses has the method. */
static inline int nyash_use_listed(const NyashUse *use)
{
    size_t n, box = strlen(use->box), method = strlen(use->method);
    const char *listed;

    for (n = 0; (listed = nyash_listed(n)) != NULL; n++) {
        if (strncmp(listed, use->box, box) != 0)
            continue;
        listed += box;
        /* With one method of a singleton comes its birth. */
        if (*listed == '\0' || (*listed == '.' && strcmp(use->method, "birth") == 0))
            return 1;
        if (*listed == '.' && strncmp(listed + 1, use->method, method) == 0 &&
            (listed[1 + method] == '\0' || listed[1 + method] == ':'))
            return 1;
    }
    return 0;
}

/* Finds the ids of a method, the first time at the host. Returns a code. */
static inline int32_t nyash_use_find(NyashUse *use, const NyashHostCalls *calls, uint32_t life, uint64_t *ids,
                                     NyashUseError *error)
{
    uint32_t type_id = 0, method_id = 0;
    int32_t code;

    if (NYASH_LOAD(&use->life) == life) {
        *ids = NYASH_LOAD(&use->ids);
        return NYASH_OK;
    }
    if (!nyash_use_listed(use))
        return nyash_use_fail(use, error, NYASH_E_PLUGIN, "a mistake in the plugin: no box of it has this among its uses");
    code = calls->resolve(use->box, use->method, &type_id, &method_id);
    if (code != NYASH_OK)
        return nyash_use_fail(use, error, code, "%s", nyash_code_text(code));
    *ids = (uint64_t)type_id << 32 | method_id;
    nyash_lock(&nyash_state.lock);
    if (nyash_state.life == life) { /* else the library was loaded again meanwhile */
        NYASH_STORE(&use->ids, *ids);
        NYASH_STORE(&use->life, life);
    }
    nyash_unlock(&nyash_state.lock);
    return NYASH_OK;
}

/* The host's answer was a code: looks for its message. */
static inline int32_t nyash_answer_error(const NyashUse *use, NyashAnswer *a, int32_t code, const uint8_t *data,
                                         size_t size, size_t capacity, NyashUseError *error)
{
    NyashText text = {"", 0};

    if (code == NYASH_E_SHORT_BUFFER)
        return nyash_use_fail(use, error, NYASH_E_PLUGIN, "a mistake in the host: it asks for ever more room");
    if (size != 0 && size <= capacity && nyash_answer_read(a, data, size) == 0)
        text = nyash_value_string(&a->value);
    code = nyash_use_fail(use, error, code, "%.*s", text.size == 0 ? 1024 : (int)text.size,
                          text.size == 0 ? nyash_code_text(code) : text.data);
    a->value.tag = NYASH_TAG_VOID; /* of a failed call nothing is the caller's */
    return code;
}

/* The result of a birth is a plain id. */
static inline void nyash_answer_born(NyashAnswer *a, uint32_t type_id, uint32_t instance_id)
{
    nyash_put_u32(a->room, type_id);
    nyash_put_u32(a->room + 4, instance_id);
    a->value.tag = NYASH_TAG_HANDLE;
    a->value.size = 8;
    a->value.data = a->room;
}

/* Asks the host until its answer fits, which the second call sees to: the host
 * keeps the answer for this thread. Returns the code of the last. */
static inline int32_t nyash_use_send(const NyashHostCalls *calls, uint64_t ids, uint32_t instance_id, const NyashWriter *args,
                                     NyashAnswer *a, uint8_t **buffer, size_t *capacity, size_t *size)
{
    int32_t code;
    int tries;

    for (tries = 0; tries < 8; tries++) {
        memset(*buffer, 0, NYASH_TLV_HEADER_SIZE);
        *size = *capacity;
        code = calls->invoke((uint32_t)(ids >> 32), (uint32_t)ids, instance_id, args->data, args->size, *buffer, size);
        if (code != NYASH_E_SHORT_BUFFER || *size <= *capacity)
            return code;
        free(a->large);
        *capacity = *size;
        *buffer = a->large = (uint8_t *)malloc(*capacity);
        if (a->large == NULL)
            return NYASH_E_OUT_OF_MEMORY;
    }
    return NYASH_E_SHORT_BUFFER;
}

/* Makes a call with arguments that are written. `on` is NULL for a birth. On
 * NYASH_OK the answer has the result; nyash_answer_free has to follow in any
 * case. */
static inline int32_t nyash_use_invoke(NyashUse *use, const NyashHandle *on, const NyashWriter *args, NyashAnswer *a,
                                       NyashUseError *error)
{
    const NyashHostCalls *calls = NYASH_LOAD(&nyash_state.calls);
    uint8_t *buffer = a->room;
    size_t capacity = sizeof a->room, size = 0;
    uint64_t ids = 0;
    int32_t code;

    a->life = NYASH_LOAD(&nyash_state.life);
    if (!nyash_calls_need_NYASH_CONNECT || calls == NULL)
        return nyash_use_fail(use, error, NYASH_E_PLUGIN, "the host cannot be called: %s",
                              a->life == 0 ? "it has not connected" : "it has shut the plugin down");
    code = nyash_use_find(use, calls, a->life, &ids, error);
    if (code != NYASH_OK)
        return code;
    if (((uint32_t)ids == NYASH_METHOD_BIRTH) != (on == NULL))
        return nyash_use_fail(use, error, NYASH_E_INVALID_METHOD, "a mistake in the plugin: %s",
                              on == NULL ? "it makes no instance" : "a birth has no instance");
    if (on != NULL && (on->instance_id == 0 || on->life != a->life))
        return nyash_use_fail(use, error, NYASH_E_INVALID_HANDLE, "the handle is %s",
                              on->instance_id == 0 ? "empty" : "of the time before the plugin was shut down");
    if (on != NULL && on->type_id != (uint32_t)(ids >> 32))
        return nyash_use_fail(use, error, NYASH_E_INVALID_ARGS, "the handle is that of another box");

    code = nyash_use_send(calls, ids, on == NULL ? 0 : on->instance_id, args, a, &buffer, &capacity, &size);
    if (buffer == NULL)
        return nyash_use_fail(use, error, code, "out of memory for a result of %lu bytes", (unsigned long)capacity);
    if (code != NYASH_OK)
        return nyash_answer_error(use, a, code, buffer, size, capacity, error);
    if (size > capacity)
        return nyash_use_fail(use, error, NYASH_E_PLUGIN, "a mistake in the host: a result that is longer than its room");
    if (on == NULL && size == 4) {
        nyash_answer_born(a, (uint32_t)(ids >> 32), nyash_get_u32(buffer));
        return NYASH_OK;
    }
    if (size == 0 || (size == capacity && nyash_get_u32(buffer) == 0)) /* nothing was written */
        return NYASH_OK;
    if (nyash_answer_read(a, buffer, size) != 0)
        return nyash_use_fail(use, error, NYASH_E_PLUGIN, "a mistake in the host: the result is malformed");
    return NYASH_OK;
}

/* Makes a call: writes the arguments, takes the result. */
static inline int32_t nyash_use_make(NyashUse *use, const NyashHandle *on, NyashTo to, const NyashPass *args,
                                     size_t count, NyashUseError *error)
{
    uint8_t room[512], *large = NULL;
    NyashWriter w;
    NyashAnswer a;
    int32_t code;

    nyash_to_clear(to);
    if (error != NULL) {
        error->code = NYASH_OK;
        error->message[0] = '\0';
    }
    nyash_writer_open(&w, room, sizeof room);
    code = nyash_pass_all(use, &w, args, count, error);
    if (code == NYASH_OK && w.size > sizeof room) {
        large = (uint8_t *)malloc(w.size);
        if (large == NULL)
            return nyash_use_fail(use, error, NYASH_E_OUT_OF_MEMORY, "out of memory for the arguments");
        nyash_writer_open(&w, large, w.size);
        code = nyash_pass_all(use, &w, args, count, error);
    }
    a.value.tag = NYASH_TAG_VOID;
    a.value.size = 0;
    a.value.data = NULL;
    a.large = NULL;
    if (code == NYASH_OK)
        code = nyash_use_invoke(use, on, &w, &a, error);
    if (code == NYASH_OK)
        code = nyash_answer_take(use, &a, to, error);
    nyash_answer_free(&a);
    free(large);
    return code;
}

/* Makes an instance of a box, with its method "birth", and holds it. The
 * arguments are NYASH_PASS(...) or NYASH_NO_ARGS; error may be NULL. Returns a
 * code, and after an error the handle is empty. */
static inline int32_t nyash_use_new(NyashUse *use, NyashHandle *made, const NyashPass *args, size_t count,
                                    NyashUseError *error)
{
    int32_t code = nyash_use_make(use, NULL, nyash_to_handle(made), args, count, error);

    if (code != NYASH_OK || made->instance_id != 0)
        return code;
    memset(made, 0, sizeof *made);
    return nyash_use_fail(use, error, NYASH_E_PLUGIN, "a mistake in the host: no instance has the id 0");
}

/* Calls a method of an instance. Returns a code; after an error the result is 0,
 * NULL or an empty handle, so that it can be freed all the same. */
static inline int32_t nyash_use_call(NyashUse *use, const NyashHandle *on, NyashTo to, const NyashPass *args,
                                     size_t count, NyashUseError *error)
{
    static const NyashHandle none = {0, 0, 0, 0};

    return nyash_use_make(use, on == NULL ? &none : on, to, args, count, error);
}

/* ---- Handles of a method's own ----------------------------------------- */

/* A box of another library that is the argument i, declared NYASH_FOREIGN or
 * NYASH_ANY: lent until the method returns. Empty if the argument was left out.
 * Whether it is the right box shows at the first call. */
static inline NyashHandle nyash_arg_handle(const NyashContext *c, size_t i)
{
    NyashValue v = nyash_arg(c, i);
    NyashHandle h = {0, 0, 0, 0};

    if (v.tag != NYASH_TAG_HANDLE)
        return h;
    h.type_id = nyash_value_type(&v);
    h.instance_id = nyash_value_instance(&v);
    h.life = NYASH_LOAD(&nyash_state.life);
    return h;
}

/* Ends a method that declares NYASH_FOREIGN with a box of another library, held
 * or lent. A hold passes to the caller and the handle is empty; where the call
 * fails, here or later, the hold is given up. */
static inline int32_t nyash_return_handle(NyashContext *c, NyashHandle *h)
{
    uint8_t *at;
    int32_t code;

    if (h->instance_id == 0 || h->life != NYASH_LOAD(&nyash_state.life))
        return nyash_error(c, NYASH_E_PLUGIN, "a mistake in the plugin: %s returned a handle of nothing", c->method->name);
    at = nyash_put_result(c, NYASH_FOREIGN, 8, &code);
    if (at == NULL) {
        nyash_drop(h);
        return code;
    }
    nyash_put_u32(at, h->type_id);
    nyash_put_u32(at + 4, h->instance_id);
    if (h->held) {
        c->passed = *h;
        memset(h, 0, sizeof *h);
    }
    return NYASH_OK;
}

/* ---- The function that the host calls ----------------------------------- */

/* From then on calls answer NYASH_E_PLUGIN. */
static inline void nyash_disconnect(void) { NYASH_STORE(&nyash_state.calls, (const NyashHostCalls *)NULL); }

static inline int32_t nyash_connect(const NyashHostCalls *host)
{
    NyashState *s = &nyash_state;

    if (host == NULL || host->version != NYASH_HOST_CALLS_VERSION || host->struct_size < sizeof *host ||
        host->resolve == NULL || host->invoke == NULL)
        return NYASH_E_VERSION;
    nyash_lock(&s->lock);
    NYASH_STORE(&s->life, s->life + 1);
    NYASH_STORE(&s->calls, host);
    nyash_unlock(&s->lock);
    return NYASH_OK;
}

#ifdef __cplusplus
}
#endif

/* Exports nyash_plugin_connect: behind NYASH_PLUGIN, without a semicolon. */
#define NYASH_CONNECT                                                                                    \
    const char nyash_calls_need_NYASH_CONNECT = 1;                                                       \
    int32_t nyash_plugin_connect(const NyashHostCalls *host) { return nyash_connect(host); }

#endif /* NYASH_USE_H */
