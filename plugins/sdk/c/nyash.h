/*
 * nyash.h: write a Nyash plugin in C with a table of methods and a function
 * for each.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * It needs nyash_plugin.h, the C library and, where there are threads, POSIX
 * or Windows threads. Clean as C99 and as C++17 with -Wall -Wextra -Wpedantic.
 *
 *     #include "nyash.h"
 *
 *     typedef struct Counter { int64_t n; } Counter;
 *
 *     static int32_t add(NyashContext *c)
 *     {
 *         Counter *self = (Counter *)nyash_self(c);
 *         self->n += nyash_arg_i32(c, 0);
 *         return nyash_return_i64(c, self->n);
 *     }
 *
 *     static const NyashMethod methods[] = {
 *         {.id = 1, .name = "add", .call = add, .args = {NYASH_ARG("by", NYASH_I32)}, .result = NYASH_I64},
 *     };
 *     static const NyashBox counter = {
 *         .name = "Counter", .type_id = 7, .state_size = sizeof(Counter), NYASH_METHODS(methods)};
 *
 *     NYASH_PLUGIN(&counter)
 *
 * Before a method runs, its arguments are decoded and compared with the table,
 * its instance is looked up and held, and the room for its largest result is
 * checked. So a method cannot meet a wrong argument, an instance that another
 * thread ends meanwhile, or a buffer that turns out too short behind a side
 * effect.
 *
 * Concurrency: calls on one instance run one after another, unless its box has
 * NYASH_CONCURRENT; calls on different instances run at once. A method holds
 * the locks of its instance and of the instances among its arguments, taken in
 * one order for all calls.
 *
 * Memory: what an argument points at belongs to the caller and is gone when
 * the method returns. The state of an instance is zeroed memory that the SDK
 * allocates and frees.
 *
 * The parts of this file, in order: types, TLV, threads, instances, results,
 * arguments, the self-description, the functions that the host calls.
 * nyash_use.h has the other direction: calls to the boxes of the host.
 */
#ifndef NYASH_H
#define NYASH_H

#include "nyash_plugin.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A wasm32 module serves one call at a time and has no threads. Elsewhere
 * NYASH_SINGLE_THREADED is the author's promise of the same. */
#if defined(__wasm__) && !defined(NYASH_SINGLE_THREADED)
#define NYASH_SINGLE_THREADED
#endif
#if defined(NYASH_SINGLE_THREADED)
#elif defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <pthread.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define NYASH_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define NYASH_PRINTF(text, first)
#endif
#if defined(_WIN32) || !(defined(__GNUC__) || defined(__clang__))
#define NYASH_HIDDEN
#else
#define NYASH_HIDDEN __attribute__((visibility("hidden")))
#endif

/* ---- Types ------------------------------------------------------------- */

/* The types of arguments and results. Those of the wire have their tags'
 * numbers. An argument declared NYASH_I64 also takes an I32, NYASH_F64 an F32,
 * and NYASH_BYTES a String. */
enum {
    NYASH_BOOL = NYASH_TAG_BOOL,
    NYASH_I32 = NYASH_TAG_I32,
    NYASH_I64 = NYASH_TAG_I64,
    NYASH_F32 = NYASH_TAG_F32,
    NYASH_F64 = NYASH_TAG_F64,
    NYASH_STRING = NYASH_TAG_STRING,
    NYASH_BYTES = NYASH_TAG_BYTES,
    NYASH_HANDLE = NYASH_TAG_HANDLE, /* an instance of a box of this library */
    NYASH_VOID = NYASH_TAG_VOID,     /* results only; 0 means the same */
    NYASH_BLOB = NYASH_TAG_BLOB,     /* memory that is passed by reference, of any length */
    NYASH_ANY = 64,                  /* whatever comes; a Handle is not looked up */
    NYASH_FOREIGN = 65,              /* a Handle of another library's box: see nyash_use.h */
    NYASH_OPTIONAL = 128             /* added to the type of an argument that may be left out */
};

/* The most arguments that a method can declare. Define it before the include
 * for more. */
#ifndef NYASH_MAX_ARGS
#define NYASH_MAX_ARGS 8
#endif

typedef struct NyashArg {
    const char *name;
    uint32_t type;    /* with NYASH_OPTIONAL only behind all that are required */
    const char *box;  /* of a handle: the box's name; NULL: the box that has the method */
    const char *from; /* the type on the caller's side, as in nyash.toml; NULL: as the type suggests */
    const char *doc;  /* or NULL */
} NyashArg;

/* An argument without the optional fields. With NYASH_HANDLE it is an instance of
 * the box that has the method; NYASH_ARG_BOX is for one of another box of the
 * library: NYASH_ARG_BOX("item", "ItemBox"). */
#define NYASH_ARG(name, type) {(name), (uint32_t)(type), NULL, NULL, NULL}
#define NYASH_ARG_BOX(name, box) {(name), (uint32_t)NYASH_HANDLE, (box), NULL, NULL}

typedef struct NyashContext NyashContext;

/* Flags of a method. None has the value of one of a box, so that a mix-up is found.
 *
 * A leaf method promises that it returns within microseconds, never blocks, and
 * calls nothing of its host but alloc, free, nyash_log and wake, on a stack of 256
 * KiB. It takes no lock that another thread holds while that calls the host: the
 * process would stand still for good. Hosts call a leaf method without telling
 * their scheduler, and the whole program waits where the promise is broken:
 * docs/plugin-guide.md, Leaf methods. */
enum NyashMethodFlag {
    NYASH_UNDECLARED = 1,    /* takes what comes, see nyash_args; args is left empty */
    NYASH_LEAF = 2,          /* `leaf = true` */
    NYASH_RETURNS_RESULT = 4 /* `returns_result = true`: a String is an error's message */
};

/* In NyashMethod.limit: the method checks the room itself, with nyash_reserve. */
#define NYASH_RESERVES SIZE_MAX

typedef struct NyashMethod {
    uint32_t id; /* NYASH_METHOD_BIRTH for the method that sets up an instance */
    const char *name;
    /* Answers what a nyash_return_ function or nyash_error gave it, or NYASH_OK
     * without a result. */
    int32_t (*call)(NyashContext *c);
    NyashArg args[NYASH_MAX_ARGS]; /* those in use come first */
    uint32_t result;               /* 0: Void */
    const char *result_box;        /* of a handle: the box's name; NULL: the box that has the method */
    size_t limit;                  /* largest String or Bytes result in bytes; 0: NYASH_TLV_MAX_PAYLOAD */
    uint32_t flags;
    const char *doc; /* or NULL */
} NyashMethod;

/* The most that the uses of a box can list. Define it before the include for
 * more. */
#ifndef NYASH_MAX_USES
#define NYASH_MAX_USES 16
#endif

/* Flags of a box. */
enum NyashBoxFlag {
    NYASH_SINGLETON = 0x100, /* `singleton = true`: the host makes one instance and shares it */
    NYASH_CONCURRENT = 0x200 /* calls on one instance may run at once: its methods see to locking */
};

typedef struct NyashBox {
    const char *name;
    uint32_t type_id;
    const char *doc; /* or NULL */
    uint32_t flags;
    const char *threads; /* "free", "serial" or "pinned", as in nyash.toml; NULL: not said */
    size_t state_size;   /* bytes of zeroed memory for each instance; may be 0 */
    /* Releases what the state holds, or NULL. Called once for each instance whose
     * birth succeeded, when no call uses it; on any thread. */
    void (*fini)(void *state);
    const NyashMethod *methods;
    size_t method_count;
    /* What the library calls of its host, "Box" or "Box.method", as nyash.toml is
     * to permit it: see nyash_use.h. Those in use come first. */
    const char *uses[NYASH_MAX_USES];
} NyashBox;

/* The methods of a NyashBox, from an array. */
#define NYASH_METHODS(array) .methods = (array), .method_count = sizeof(array) / sizeof((array)[0])

/* ---- TLV --------------------------------------------------------------- */

/* What is wrong with a message. */
enum {
    NYASH_TLV_OK = 0,
    NYASH_TLV_E_VERSION,
    NYASH_TLV_E_TRUNCATED,
    NYASH_TLV_E_TAG,
    NYASH_TLV_E_RESERVED_TAG,
    NYASH_TLV_E_RESERVED_BYTE,
    NYASH_TLV_E_SIZE,
    NYASH_TLV_E_TRAILING,
    NYASH_TLV_E_UTF8,
    NYASH_TLV_E_TOO_LARGE, /* the writer's: more than NYASH_TLV_MAX_PAYLOAD bytes */
    NYASH_TLV_E_TOO_MANY   /* the writer's: more than 65,535 entries */
};

typedef struct NyashValue {
    uint8_t tag;
    size_t size;
    const uint8_t *data; /* the payload, inside the message */
} NyashValue;

typedef struct NyashReader {
    const uint8_t *data;
    size_t size;
    size_t at;     /* of the next entry */
    size_t count;  /* entries that the header promises */
    size_t left;   /* entries not read yet */
    int error;     /* NYASH_TLV_ */
    size_t offset; /* of the error; as docs/tlv.md says */
} NyashReader;

typedef struct NyashWriter {
    uint8_t *data; /* may be NULL with capacity 0, to learn the size */
    size_t capacity;
    size_t size; /* of the message so far; more than the capacity: it did not fit */
    size_t count;
    int error; /* the first NYASH_TLV_E_ */
} NyashWriter;

typedef struct NyashText {
    const char *data; /* UTF-8, without a NUL at the end */
    size_t size;
} NyashText;

typedef struct NyashBytes {
    const uint8_t *data; /* may be NULL if size is 0 */
    size_t size;
} NyashBytes;

static inline uint32_t nyash_get_u16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }

static inline uint32_t nyash_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t nyash_get_u64(const uint8_t *p)
{
    return (uint64_t)nyash_get_u32(p) | (uint64_t)nyash_get_u32(p + 4) << 32;
}

static inline void nyash_put_u16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void nyash_put_u32(uint8_t *p, uint32_t v)
{
    nyash_put_u16(p, v);
    nyash_put_u16(p + 2, v >> 16);
}

static inline void nyash_put_u64(uint8_t *p, uint64_t v)
{
    nyash_put_u32(p, (uint32_t)v);
    nyash_put_u32(p + 4, (uint32_t)(v >> 32));
}

/* The length of the UTF-8 sequence that s begins with, or 0 if it is none. n is
 * not 0. */
static inline size_t nyash_utf8_sequence(const uint8_t *s, size_t n)
{
    uint8_t lead = s[0], low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t length, i;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if ((lead & 0xF0) == 0xE0) {
        length = 3;
        if (lead == 0xE0)
            low = 0xA0; /* shorter forms exist below */
        else if (lead == 0xED)
            high = 0x9F; /* surrogates above */
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0)
            low = 0x90;
        else if (lead == 0xF4)
            high = 0x8F; /* past U+10FFFF above */
    } else {
        return 0;
    }
    if (n < 2 || s[1] < low || s[1] > high || n < length)
        return 0;
    for (i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* The number of bytes up to the first that is not UTF-8; n if there is none. */
static inline size_t nyash_utf8_valid(const uint8_t *s, size_t n)
{
    size_t i = 0, length;
    uint64_t eight;

    while (i < n) {
        if (n - i >= 8) { /* most text is ASCII */
            memcpy(&eight, s + i, 8);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += 8;
                continue;
            }
        }
        length = nyash_utf8_sequence(s + i, n - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}

/* Makes text UTF-8 in place: bytes that are not become question marks. If the
 * text was cut off, a sequence that the cut went through is dropped. Returns
 * the new length. */
static inline size_t nyash_utf8_clean(uint8_t *s, size_t n, int cut)
{
    size_t i, back;

    for (back = 1; cut && back <= 3 && back <= n; back++) {
        uint8_t byte = s[n - back];
        if ((byte & 0xC0) == 0x80)
            continue;
        if (nyash_utf8_sequence(s + n - back, back) == 0)
            n -= back;
        break;
    }
    for (i = nyash_utf8_valid(s, n); i < n; i += nyash_utf8_valid(s + i, n - i))
        s[i] = '?';
    return n;
}

/* The name of a tag, or NULL if there is no such tag. *size is that of the
 * payload, -1 if it varies, -2 if the tag is reserved. */
static inline const char *nyash_tag_name(unsigned tag, int *size)
{
    static const struct {
        const char *name;
        int size;
    } tags[] = {
        {NULL, 0}, {"bool", 1},    {"i32", 4},   {"i64", 8},    {"f32", 4},   {"f64", 8},
        {"string", -1}, {"bytes", -1}, {"handle", 8}, {"void", 0}, {"blob", 16},
    };
    static const char *const reserved[] = {"result", "option", "array"};

    if (tag < sizeof tags / sizeof tags[0]) {
        *size = tags[tag].size;
        return tags[tag].name;
    }
    *size = -2;
    return tag >= 20 && tag <= 22 ? reserved[tag - 20] : NULL;
}

/* The name of the tag that a type has on the wire, or NULL. */
static inline const char *nyash_type_name(uint32_t type)
{
    int ignored;

    return nyash_tag_name(type == NYASH_FOREIGN ? (unsigned)NYASH_HANDLE : type, &ignored);
}

static inline int nyash_reader_fail(NyashReader *r, int error, size_t offset)
{
    r->error = error;
    r->offset = offset;
    return -1;
}

/* Begins to read a message. Returns 0, or -1 with error and offset set. */
static inline int nyash_reader_open(NyashReader *r, const uint8_t *data, size_t size)
{
    r->data = data;
    r->size = data == NULL ? 0 : size;
    r->at = NYASH_TLV_HEADER_SIZE;
    r->count = r->left = 0;
    r->error = NYASH_TLV_OK;
    r->offset = 0;
    if (r->size < NYASH_TLV_HEADER_SIZE)
        return nyash_reader_fail(r, NYASH_TLV_E_TRUNCATED, r->size);
    if (nyash_get_u16(data) != NYASH_TLV_VERSION)
        return nyash_reader_fail(r, NYASH_TLV_E_VERSION, 0);
    r->count = r->left = nyash_get_u16(data + 2);
    return 0;
}

/* Reads the next entry. Returns 1, or 0 behind the last one, or -1 with error
 * and offset set; at is then the offset of the entry. */
static inline int nyash_reader_next(NyashReader *r, NyashValue *v)
{
    size_t at = r->at, left = r->size - at;
    int fixed;

    if (r->error != NYASH_TLV_OK)
        return -1;
    if (r->left == 0)
        return left == 0 ? 0 : nyash_reader_fail(r, NYASH_TLV_E_TRAILING, at);
    if (left < NYASH_TLV_ENTRY_SIZE)
        return nyash_reader_fail(r, NYASH_TLV_E_TRUNCATED, at);
    v->tag = r->data[at];
    v->size = nyash_get_u16(r->data + at + 2);
    v->data = r->data + at + NYASH_TLV_ENTRY_SIZE;
    if (nyash_tag_name(v->tag, &fixed) == NULL)
        return nyash_reader_fail(r, NYASH_TLV_E_TAG, at);
    if (fixed == -2)
        return nyash_reader_fail(r, NYASH_TLV_E_RESERVED_TAG, at);
    if (r->data[at + 1] != 0)
        return nyash_reader_fail(r, NYASH_TLV_E_RESERVED_BYTE, at + 1);
    if (fixed >= 0 && v->size != (size_t)fixed)
        return nyash_reader_fail(r, NYASH_TLV_E_SIZE, at + 2);
    if (v->size > left - NYASH_TLV_ENTRY_SIZE)
        return nyash_reader_fail(r, NYASH_TLV_E_TRUNCATED, at + NYASH_TLV_ENTRY_SIZE);
    if (v->tag == NYASH_TAG_STRING) {
        size_t valid = nyash_utf8_valid(v->data, v->size);
        if (valid < v->size)
            return nyash_reader_fail(r, NYASH_TLV_E_UTF8, at + NYASH_TLV_ENTRY_SIZE + valid);
    }
    r->at = at + NYASH_TLV_ENTRY_SIZE + v->size;
    r->left--;
    return 1;
}

/* The content of a value. Another tag than the name says gives 0 or an empty
 * text; nyash_value_i64 also takes an I32, nyash_value_f64 an F32 and
 * nyash_value_bytes a String. */
static inline int nyash_value_bool(const NyashValue *v) { return v->tag == NYASH_TAG_BOOL && v->data[0] != 0; }

static inline int32_t nyash_value_i32(const NyashValue *v)
{
    return v->tag == NYASH_TAG_I32 ? (int32_t)nyash_get_u32(v->data) : 0;
}

static inline int64_t nyash_value_i64(const NyashValue *v)
{
    return v->tag == NYASH_TAG_I64 ? (int64_t)nyash_get_u64(v->data) : nyash_value_i32(v);
}

static inline float nyash_value_f32(const NyashValue *v)
{
    uint32_t bits = v->tag == NYASH_TAG_F32 ? nyash_get_u32(v->data) : 0;
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline double nyash_value_f64(const NyashValue *v)
{
    uint64_t bits;
    double f;

    if (v->tag != NYASH_TAG_F64)
        return nyash_value_f32(v);
    bits = nyash_get_u64(v->data);
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline NyashText nyash_value_string(const NyashValue *v)
{
    NyashText text = {"", 0};

    if (v->tag == NYASH_TAG_STRING) {
        text.data = (const char *)v->data;
        text.size = v->size;
    }
    return text;
}

static inline NyashBytes nyash_value_bytes(const NyashValue *v)
{
    NyashBytes bytes = {NULL, 0};

    if (v->tag == NYASH_TAG_BYTES || v->tag == NYASH_TAG_STRING) {
        bytes.data = v->data;
        bytes.size = v->size;
    }
    return bytes;
}

/* The memory that a Blob refers to; empty also where no memory of this machine
 * can be meant. */
static inline NyashBytes nyash_value_blob(const NyashValue *v)
{
    NyashBytes bytes = {NULL, 0};

    if (v->tag == NYASH_TAG_BLOB) {
        uint64_t address = nyash_get_u64(v->data), size = nyash_get_u64(v->data + 8);
        if (address != 0 && address <= UINTPTR_MAX && size <= PTRDIFF_MAX) {
            bytes.data = (const uint8_t *)(uintptr_t)address;
            bytes.size = (size_t)size;
        }
    }
    return bytes;
}

static inline uint32_t nyash_value_type(const NyashValue *v)
{
    return v->tag == NYASH_TAG_HANDLE ? nyash_get_u32(v->data) : 0;
}

static inline uint32_t nyash_value_instance(const NyashValue *v)
{
    return v->tag == NYASH_TAG_HANDLE ? nyash_get_u32(v->data + 4) : 0;
}

/* Begins a message in memory of the caller's. */
static inline void nyash_writer_open(NyashWriter *w, uint8_t *data, size_t capacity)
{
    w->data = data;
    w->capacity = capacity;
    w->size = NYASH_TLV_HEADER_SIZE;
    w->count = 0;
    w->error = NYASH_TLV_OK;
    if (capacity >= NYASH_TLV_HEADER_SIZE) {
        nyash_put_u16(data, NYASH_TLV_VERSION);
        nyash_put_u16(data + 2, 0);
    }
}

/* Adds an entry but for its payload. Returns where that goes, or NULL if there
 * is no room for it or the writer has an error. */
static inline uint8_t *nyash_write_entry(NyashWriter *w, unsigned tag, size_t size)
{
    uint8_t *entry = NULL;

    if (w->error == NYASH_TLV_OK && size > NYASH_TLV_MAX_PAYLOAD)
        w->error = NYASH_TLV_E_TOO_LARGE;
    if (w->error == NYASH_TLV_OK && w->count == 65535)
        w->error = NYASH_TLV_E_TOO_MANY;
    if (w->error != NYASH_TLV_OK)
        return NULL;
    if (w->size <= w->capacity && NYASH_TLV_ENTRY_SIZE + size <= w->capacity - w->size) {
        entry = w->data + w->size;
        entry[0] = (uint8_t)tag;
        entry[1] = 0;
        nyash_put_u16(entry + 2, (uint32_t)size);
        nyash_put_u16(w->data + 2, (uint32_t)(w->count + 1));
        entry += NYASH_TLV_ENTRY_SIZE;
    }
    w->count++;
    w->size += NYASH_TLV_ENTRY_SIZE + size;
    return entry;
}

static inline void nyash_write_data(NyashWriter *w, unsigned tag, const void *data, size_t size)
{
    uint8_t *at = nyash_write_entry(w, tag, size);

    if (at != NULL && size != 0)
        memcpy(at, data, size);
}

static inline void nyash_write_void(NyashWriter *w) { nyash_write_entry(w, NYASH_TAG_VOID, 0); }

static inline void nyash_write_bool(NyashWriter *w, int v)
{
    uint8_t byte = v != 0;

    nyash_write_data(w, NYASH_TAG_BOOL, &byte, 1);
}

static inline void nyash_write_u32(NyashWriter *w, unsigned tag, uint32_t v)
{
    uint8_t *at = nyash_write_entry(w, tag, 4);

    if (at != NULL)
        nyash_put_u32(at, v);
}

static inline void nyash_write_u64(NyashWriter *w, unsigned tag, uint64_t v)
{
    uint8_t *at = nyash_write_entry(w, tag, 8);

    if (at != NULL)
        nyash_put_u64(at, v);
}

static inline void nyash_write_i32(NyashWriter *w, int32_t v) { nyash_write_u32(w, NYASH_TAG_I32, (uint32_t)v); }

static inline void nyash_write_i64(NyashWriter *w, int64_t v) { nyash_write_u64(w, NYASH_TAG_I64, (uint64_t)v); }

static inline void nyash_write_f32(NyashWriter *w, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    nyash_write_u32(w, NYASH_TAG_F32, bits);
}

static inline void nyash_write_f64(NyashWriter *w, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    nyash_write_u64(w, NYASH_TAG_F64, bits);
}

static inline void nyash_write_handle(NyashWriter *w, uint32_t type_id, uint32_t instance_id)
{
    nyash_write_u64(w, NYASH_TAG_HANDLE, type_id | (uint64_t)instance_id << 32);
}

static inline void nyash_write_bytes(NyashWriter *w, const void *data, size_t size)
{
    nyash_write_data(w, NYASH_TAG_BYTES, data, size);
}

static inline void nyash_write_string(NyashWriter *w, const char *text, size_t size)
{
    if (w->error == NYASH_TLV_OK && size <= NYASH_TLV_MAX_PAYLOAD &&
        nyash_utf8_valid((const uint8_t *)text, size) < size)
        w->error = NYASH_TLV_E_UTF8;
    nyash_write_data(w, NYASH_TAG_STRING, text, size);
}

/* The memory stays the caller's. */
static inline void nyash_write_blob(NyashWriter *w, uint64_t address, uint64_t size)
{
    uint8_t *at = nyash_write_entry(w, NYASH_TAG_BLOB, 16);

    if (at != NULL) {
        nyash_put_u64(at, address);
        nyash_put_u64(at + 8, size);
    }
}

/* ---- Threads ----------------------------------------------------------- */

#if defined(NYASH_SINGLE_THREADED)
typedef int NyashMutex;
#define NYASH_MUTEX_INIT 0
static inline int nyash_mutex_init(NyashMutex *m) { return *m = 0; }
static inline void nyash_mutex_destroy(NyashMutex *m) { (void)m; }
static inline void nyash_lock(NyashMutex *m) { (void)m; }
static inline void nyash_unlock(NyashMutex *m) { (void)m; }
#elif defined(_WIN32)
typedef SRWLOCK NyashMutex;
#define NYASH_MUTEX_INIT SRWLOCK_INIT
static inline int nyash_mutex_init(NyashMutex *m) { return InitializeSRWLock(m), 0; }
static inline void nyash_mutex_destroy(NyashMutex *m) { (void)m; }
static inline void nyash_lock(NyashMutex *m) { AcquireSRWLockExclusive(m); }
static inline void nyash_unlock(NyashMutex *m) { ReleaseSRWLockExclusive(m); }
#else
typedef pthread_mutex_t NyashMutex;
#define NYASH_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
static inline int nyash_mutex_init(NyashMutex *m) { return pthread_mutex_init(m, NULL); }
static inline void nyash_mutex_destroy(NyashMutex *m) { pthread_mutex_destroy(m); }
static inline void nyash_lock(NyashMutex *m) { pthread_mutex_lock(m); }
static inline void nyash_unlock(NyashMutex *m) { pthread_mutex_unlock(m); }
#endif

/* Tells the threads that run apart; never 0. */
static inline uint64_t nyash_thread(void)
{
#if defined(NYASH_SINGLE_THREADED)
    return 1;
#elif defined(_WIN32)
    return GetCurrentThreadId();
#else
    return (uint64_t)(uintptr_t)pthread_self();
#endif
}

/* Atomic operations, as C99 and C++17 do not share any. NYASH_CAS stores the
 * value found in *expected if it fails; NYASH_SUB returns the value after it. */
#if defined(NYASH_SINGLE_THREADED)
#define NYASH_LOAD(p) (*(p))
#define NYASH_STORE(p, v) ((void)(*(p) = (v)))
#define NYASH_SUB(p) (--*(p))
static inline int nyash_cas(uint64_t *p, uint64_t *expected, uint64_t v)
{
    if (*p == *expected)
        return *p = v, 1;
    return *expected = *p, 0;
}
#define NYASH_CAS(p, expected, v) nyash_cas((p), (expected), (v))
#elif defined(__GNUC__) || defined(__clang__)
#define NYASH_LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define NYASH_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define NYASH_SUB(p) __atomic_sub_fetch((p), UINT64_C(1), __ATOMIC_ACQ_REL)
#define NYASH_CAS(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#else /* Microsoft's compiler: volatile reads and writes order as wanted (/volatile:ms) */
#define NYASH_LOAD(p) (*(p))
#define NYASH_STORE(p, v) ((void)(*(p) = (v)))
#define NYASH_SUB(p) ((uint64_t)InterlockedDecrement64((volatile LONG64 *)(p)))
static inline int nyash_cas(volatile uint64_t *p, uint64_t *expected, uint64_t v)
{
    uint64_t was = *expected;

    *expected = (uint64_t)InterlockedCompareExchange64((volatile LONG64 *)p, (LONG64)v, (LONG64)was);
    return *expected == was;
}
#define NYASH_CAS(p, expected, v) nyash_cas((p), (expected), (v))
#endif
#if defined(_MSC_VER) && !defined(__clang__) && !defined(NYASH_SINGLE_THREADED)
#define NYASH_SHARED volatile
#else
#define NYASH_SHARED
#endif

/* ---- Instances --------------------------------------------------------- */

/* An instance is owned by the table and by each call under way on it; the last
 * to let go finalises it. Its memory, but not its state, is used again for
 * later instances and freed at shutdown only, so that a call may look at `held`
 * of an instance that has just ended. */
typedef struct NyashInstance {
    NYASH_SHARED uint64_t held; /* id << 32 | owners; 0 while it is not in use */
    NyashMutex lock;            /* held by a call, unless the box is NYASH_CONCURRENT */
    NYASH_SHARED uint64_t owner; /* the thread that holds the lock, in a library that calls its host */
    const NyashBox *box;
    void *state;
    struct NyashInstance *next_free; /* these two: guarded by the library's lock */
    struct NyashInstance *next;      /* of all */
} NyashInstance;

/* The instances by id: the one with id i is at slots[i & mask]. An id whose
 * place is taken is skipped, so that ids still count up and a look-up needs one
 * load. A table that was outgrown stays, for calls that are looking at it. */
typedef struct NyashTable {
    size_t mask;
    struct NyashTable *older;
    NyashInstance *NYASH_SHARED *slots;
} NyashTable;

/* What NYASH_PLUGIN defines, once in a library. */
typedef struct NyashLibrary {
    const NyashBox *const *boxes;
    size_t box_count;
    int32_t (*on_init)(void);
    void (*on_shutdown)(void);
} NyashLibrary;

typedef struct NyashState {
    NyashMutex lock; /* guards what follows; host and table are also read without it */
    const NyashHostVtable *NYASH_SHARED host;
    NyashTable *NYASH_SHARED table;
    int ready;                /* between init and shutdown */
    uint32_t last_id;         /* outlives shutdown: an old id never names a new instance */
    size_t count;             /* instances in the table */
    size_t in_use;            /* the same, and those that calls still hold or that are being made */
    NyashInstance *instances; /* all */
    NyashInstance *free;
    NyashMethodInfo *info;
    char *config;
    const NyashHostCalls *NYASH_SHARED calls; /* between connect and shutdown; these two are also read without the lock */
    NYASH_SHARED uint32_t life;               /* how often the host has connected */
} NyashState;

extern NYASH_HIDDEN const NyashLibrary nyash_library;
extern NYASH_HIDDEN NyashState nyash_state;

/* The host's table, or NULL before init. Valid for ever, on every thread. */
static inline const NyashHostVtable *nyash_host(void) { return NYASH_LOAD(&nyash_state.host); }

/* Writes a line to the host's log; level is NYASH_LOG_. More than 1,023 bytes
 * are cut off. From any thread. */
NYASH_PRINTF(2, 3) static inline void nyash_log(int32_t level, const char *format, ...)
{
    const NyashHostVtable *h = nyash_host();
    char line[1024];
    va_list args;
    int want;

    if (h == NULL || h->log == NULL)
        return;
    va_start(args, format);
    want = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (want < 0)
        return;
    line[nyash_utf8_clean((uint8_t *)line, strlen(line), (size_t)want >= sizeof line)] = '\0';
    h->log(level, line);
}

/* Delivers a number to the host program. From any thread. */
static inline void nyash_wake(uint64_t handle)
{
    const NyashHostVtable *h = nyash_host();

    if (h != NULL && h->wake != NULL)
        h->wake(handle);
}

/* Memory for a blob, which goes to nyash_return_blob_owned or
 * nyash_blob_free; NULL if there is none. */
static inline uint8_t *nyash_blob_alloc(size_t size)
{
    const NyashHostVtable *h = nyash_host();

    return h != NULL && h->alloc != NULL ? h->alloc(size) : NULL;
}

static inline void nyash_blob_free(uint8_t *blob)
{
    const NyashHostVtable *h = nyash_host();

    if (blob != NULL && h != NULL && h->free != NULL)
        h->free(blob);
}

/* An instance of a box of another library. A handle that is held keeps it, until
 * nyash_drop; one that came as an argument is lent until the method returns. One
 * of zeros is empty. */
typedef struct NyashHandle {
    uint32_t type_id, instance_id;
    uint32_t life; /* of this library, as the ids are good for one only */
    uint32_t held;
} NyashHandle;

/* Gives up a hold, with which the instance may end, and empties the handle. One
 * that is lent or empty is left to its owner, and behind nyash_plugin_shutdown,
 * when the host has given up all holds, nothing is called either. From any
 * thread. */
static inline void nyash_drop(NyashHandle *h)
{
    const NyashHostCalls *calls = NYASH_LOAD(&nyash_state.calls);
    const uint8_t no_args[NYASH_TLV_HEADER_SIZE] = {NYASH_TLV_VERSION, 0, 0, 0};
    uint8_t ignored[64];
    size_t size = sizeof ignored;
    NyashHandle one = *h;

    memset(h, 0, sizeof *h);
    if (one.held && calls != NULL && one.life == NYASH_LOAD(&nyash_state.life))
        (void)calls->invoke(one.type_id, NYASH_METHOD_FINI, one.instance_id, no_args, sizeof no_args, ignored, &size);
}

/* The state comes behind a pointer to its instance, aligned for any type. */
#define NYASH_STATE_OFFSET ((sizeof(NyashInstance *) + 15) / 16 * 16)

static inline NyashInstance *nyash_instance_of(const void *state)
{
    NyashInstance *i;

    memcpy(&i, (const char *)state - NYASH_STATE_OFFSET, sizeof i);
    return i;
}

/* Frees the tables and the memory of the instances. The library is locked, and
 * nothing is in use. */
static inline void nyash_free_table(void)
{
    NyashState *s = &nyash_state;
    NyashTable *t = s->table, *older;
    NyashInstance *i = s->instances, *next;

    for (; t != NULL; t = older) {
        older = t->older;
        free(t);
    }
    for (; i != NULL; i = next) {
        next = i->next;
        nyash_mutex_destroy(&i->lock);
        free(i);
    }
    NYASH_STORE(&s->table, (NyashTable *)NULL);
    s->instances = s->free = NULL;
}

/* An instance that is not in the table yet, with zeroed state, or NULL. */
static inline NyashInstance *nyash_instance_new(const NyashBox *box)
{
    NyashState *s = &nyash_state;
    char *memory = (char *)calloc(1, NYASH_STATE_OFFSET + box->state_size);
    NyashInstance *i;

    if (memory == NULL)
        return NULL;
    nyash_lock(&s->lock);
    i = s->free;
    if (i != NULL) {
        s->free = i->next_free;
    } else {
        /* A size that keeps what two threads use out of one cache line. */
        i = (NyashInstance *)calloc(1, sizeof *i < 128 ? 128 : sizeof *i);
        if (i != NULL && nyash_mutex_init(&i->lock) != 0) {
            free(i);
            i = NULL;
        }
        if (i != NULL) {
            i->next = s->instances;
            s->instances = i;
        }
    }
    if (i != NULL)
        s->in_use++;
    nyash_unlock(&s->lock);
    if (i == NULL) {
        free(memory);
        return NULL;
    }
    memcpy(memory, &i, sizeof i);
    i->box = box;
    i->state = memory + NYASH_STATE_OFFSET;
    return i;
}

/* Frees an instance that is not in the table any more, or never was. The last
 * one behind a shutdown frees the rest too. */
static inline void nyash_instance_free(NyashInstance *i)
{
    NyashState *s = &nyash_state;

    free((char *)i->state - NYASH_STATE_OFFSET);
    nyash_lock(&s->lock);
    i->state = NULL;
    NYASH_STORE(&i->held, UINT64_C(0));
    i->next_free = s->free;
    s->free = i;
    s->in_use--;
    if (!s->ready && s->in_use == 0)
        nyash_free_table();
    nyash_unlock(&s->lock);
}

static inline void nyash_instance_end(NyashInstance *i)
{
    if (i->box->fini != NULL)
        i->box->fini(i->state);
    nyash_instance_free(i);
}

/* Gives up one ownership. */
static inline void nyash_instance_release(NyashInstance *i)
{
    if ((NYASH_SUB(&i->held) & UINT32_MAX) == 0)
        nyash_instance_end(i);
}

/* Becomes an owner of the instance with this id, or returns NULL. */
static inline NyashInstance *nyash_instance_find(const NyashBox *box, uint32_t id)
{
    const NyashTable *t = NYASH_LOAD(&nyash_state.table);
    NyashInstance *i = t == NULL ? NULL : NYASH_LOAD(&t->slots[id & t->mask]);
    uint64_t held;

    if (i == NULL || id == 0)
        return NULL;
    held = NYASH_LOAD(&i->held);
    do {
        if (held >> 32 != id || (held & UINT32_MAX) == 0)
            return NULL;
    } while (!NYASH_CAS(&i->held, &held, held + 1));
    if (i->box == box)
        return i;
    nyash_instance_release(i);
    return NULL;
}

/* Makes a table of twice the size, which keeps at least half of it free. The
 * library is locked. */
static inline int nyash_table_grow(void)
{
    NyashTable *old = nyash_state.table, *t;
    size_t size = old == NULL ? 16 : (old->mask + 1) * 2, k;

    if (size > SIZE_MAX / 2 / sizeof(NyashInstance *))
        return -1;
    t = (NyashTable *)calloc(1, sizeof *t + size * sizeof(NyashInstance *));
    if (t == NULL)
        return -1;
    t->mask = size - 1;
    t->older = old;
    t->slots = (NyashInstance * NYASH_SHARED *)(void *)(t + 1);
    for (k = 0; old != NULL && k <= old->mask; k++)
        if (old->slots[k] != NULL)
            t->slots[(NYASH_LOAD(&old->slots[k]->held) >> 32) & t->mask] = old->slots[k];
    NYASH_STORE(&nyash_state.table, t);
    return 0;
}

/* Puts an instance into the table under a new id. Once that is done the
 * table owns it, and another thread may end it at any time. Returns a code. */
static inline int32_t nyash_instance_publish(NyashInstance *i, uint32_t *id)
{
    NyashState *s = &nyash_state;
    int32_t code = NYASH_OK;

    nyash_lock(&s->lock);
    if (!s->ready)
        code = NYASH_E_PLUGIN;
    else if ((s->table == NULL || s->count >= (s->table->mask + 1) / 2) && nyash_table_grow() != 0)
        code = NYASH_E_OUT_OF_MEMORY;
    if (code == NYASH_OK) {
        do
            s->last_id++;
        while (s->last_id == 0 || s->table->slots[s->last_id & s->table->mask] != NULL);
        *id = s->last_id;
        NYASH_STORE(&i->held, (uint64_t)*id << 32 | 1);
        NYASH_STORE(&s->table->slots[*id & s->table->mask], i);
        s->count++;
    }
    nyash_unlock(&s->lock);
    return code;
}

/* Takes an instance out of the table and gives up the table's ownership. */
static inline int nyash_instance_remove(const NyashBox *box, uint32_t id)
{
    NyashState *s = &nyash_state;
    NyashInstance *i = NULL;

    nyash_lock(&s->lock);
    if (s->table != NULL && id != 0)
        i = s->table->slots[id & s->table->mask];
    if (i != NULL && (NYASH_LOAD(&i->held) >> 32 != id || i->box != box))
        i = NULL;
    if (i != NULL) {
        NYASH_STORE(&s->table->slots[id & s->table->mask], (NyashInstance *)NULL);
        s->count--;
    }
    nyash_unlock(&s->lock);
    if (i == NULL)
        return -1;
    nyash_instance_release(i);
    return 0;
}

/* ---- Results ----------------------------------------------------------- */

/* One call. For the functions below; its fields are not an author's. */
struct NyashContext {
    const NyashBox *box;
    const NyashMethod *method;
    NyashInstance *instance; /* what it is called on, or what is being born */
    NyashReader reader;      /* of all arguments, already checked */
    size_t count;            /* of arguments in at */
    NyashValue at[NYASH_MAX_ARGS];
    size_t held_count; /* of instances that arguments name */
    NyashInstance *held[NYASH_MAX_ARGS + 1];
    void *arg_state[NYASH_MAX_ARGS];
    uint8_t *buffer; /* for the result */
    size_t capacity;
    size_t size; /* of what was written there, or is needed */
    int written; /* 0 nothing, or one of those below */
    uint8_t *blob;             /* in the result; freed if the call fails */
    NyashHandle passed;        /* the same: its hold goes to the host, or is given up */
    NyashInstance *unfinished; /* made by nyash_create; ended if it is not the result */
};

enum {
    NYASH_WROTE_RESULT = 1,
    NYASH_WROTE_MESSAGE,
    NYASH_WROTE_SIZE,
    NYASH_WROTE_UNFINISHED /* a Handle of `unfinished`, which has no id yet */
};

/* The size of a message with one entry. */
#define NYASH_MESSAGE_SIZE(payload) ((size_t)NYASH_TLV_HEADER_SIZE + NYASH_TLV_ENTRY_SIZE + (payload))

static inline void nyash_drop_result(NyashContext *c)
{
    nyash_blob_free(c->blob);
    c->blob = NULL;
    if (c->passed.held)
        nyash_drop(&c->passed);
    c->written = 0;
}

/* Writes all of a message with one entry but its payload. There is room. */
static inline uint8_t *nyash_put_entry(NyashContext *c, unsigned tag, size_t size)
{
    nyash_put_u32(c->buffer, NYASH_TLV_VERSION | UINT32_C(1) << 16);
    nyash_put_u32(c->buffer + NYASH_TLV_HEADER_SIZE, tag | (uint32_t)size << 16);
    c->size = NYASH_MESSAGE_SIZE(size);
    return c->buffer + NYASH_MESSAGE_SIZE(0);
}

/* Ends a method with an error. code is NYASH_E_PLUGIN or another NYASH_E_ code,
 * or a number of the plugin's own; the message is cut at the end of the buffer
 * and left out where that is very short. */
NYASH_PRINTF(3, 4) static inline int32_t nyash_error(NyashContext *c, int32_t code, const char *format, ...)
{
    va_list args;
    uint8_t *text;
    size_t room, size;
    int want;

    nyash_drop_result(c);
    if (code == NYASH_OK || code == NYASH_E_SHORT_BUFFER)
        code = NYASH_E_PLUGIN;
    if (c->capacity < NYASH_MESSAGE_SIZE(16))
        return code;
    text = c->buffer + NYASH_MESSAGE_SIZE(0);
    room = c->capacity - NYASH_MESSAGE_SIZE(0);
    if (room > NYASH_TLV_MAX_PAYLOAD)
        room = NYASH_TLV_MAX_PAYLOAD;
    va_start(args, format);
    want = vsnprintf((char *)text, room, format, args);
    va_end(args);
    if (want < 0)
        return code;
    size = (size_t)want < room ? (size_t)want : room - 1;
    size = nyash_utf8_clean(text, size, size < (size_t)want);
    nyash_put_entry(c, NYASH_TAG_STRING, size);
    c->written = NYASH_WROTE_MESSAGE;
    return code;
}

static inline int32_t nyash_error_memory(NyashContext *c)
{
    return nyash_error(c, NYASH_E_OUT_OF_MEMORY, "out of memory");
}

/* An error of one argument; i counts from 0. */
static inline int32_t nyash_error_arg(NyashContext *c, size_t i, const char *problem)
{
    const char *name = i < NYASH_MAX_ARGS ? c->method->args[i].name : NULL;

    return nyash_error(c, NYASH_E_INVALID_ARGS, "argument %lu (%s): %s", (unsigned long)i + 1,
                       name != NULL ? name : "?", problem);
}

/* Leaves a method with the code of a step that failed. */
#define NYASH_TRY(step)                   \
    do {                                  \
        int32_t nyash_code_ = (step);     \
        if (nyash_code_ != NYASH_OK)      \
            return nyash_code_;           \
    } while (0)

/* The largest String or Bytes that the method can return. */
static inline size_t nyash_limit(const NyashMethod *m)
{
    return m->limit == 0 || m->limit > NYASH_TLV_MAX_PAYLOAD ? NYASH_TLV_MAX_PAYLOAD : m->limit;
}

static inline int32_t nyash_error_limit(NyashContext *c, size_t size)
{
    return nyash_error(c, NYASH_E_PLUGIN, "the result of %s has %lu bytes, at most %lu can be returned", c->method->name,
                       (unsigned long)size, (unsigned long)nyash_limit(c->method));
}

/* For methods with NYASH_RESERVES, before they change anything: makes sure that
 * a String or Bytes of this size fits. If not, the answer is what the method
 * returns: the host calls again with a larger buffer, or the size is an error as
 * no buffer is large enough. If it does, *data, if data is not NULL, is where
 * the method may write its result; *room, if room is not NULL, how much. See
 * nyash_return_reserved. */
static inline int32_t nyash_reserve(NyashContext *c, size_t size, uint8_t **data, size_t *room)
{
    size_t limit = nyash_limit(c->method);

    if (size > limit) {
        nyash_error_limit(c, size);
        return NYASH_E_PLUGIN; /* which the compiler sees to be no NYASH_OK */
    }
    if (c->capacity < NYASH_MESSAGE_SIZE(0) || c->capacity - NYASH_MESSAGE_SIZE(0) < size) {
        nyash_drop_result(c);
        c->size = NYASH_MESSAGE_SIZE(size);
        c->written = NYASH_WROTE_SIZE;
        return NYASH_E_SHORT_BUFFER;
    }
    if (data != NULL)
        *data = c->buffer + NYASH_MESSAGE_SIZE(0);
    if (room != NULL)
        *room = c->capacity < NYASH_MESSAGE_SIZE(limit) ? c->capacity - NYASH_MESSAGE_SIZE(0) : limit;
    return NYASH_OK;
}

/* Where a result's payload goes, or NULL with *code, if the method does not
 * declare such a result. */
static inline uint8_t *nyash_put_result(NyashContext *c, uint32_t type, size_t size, int32_t *code)
{
    const NyashMethod *m = c->method;
    uint32_t declared = m->result == 0 ? (uint32_t)NYASH_VOID : m->result;

    nyash_drop_result(c);
    if ((type != declared && declared != NYASH_ANY) || m->id == NYASH_METHOD_BIRTH) {
        const char *name = nyash_type_name(declared);
        *code = nyash_error(c, NYASH_E_PLUGIN, "a mistake in the plugin: %s returned %s, not %s as declared", m->name,
                            nyash_type_name(type),
                            m->id == NYASH_METHOD_BIRTH ? "nothing" : name != NULL ? name : "a known type");
        return NULL;
    }
    if ((type == NYASH_STRING || type == NYASH_BYTES) && size > nyash_limit(m)) {
        *code = nyash_error_limit(c, size);
        return NULL;
    }
    if (c->capacity < NYASH_MESSAGE_SIZE(size)) { /* a reserving method that did not */
        *code = nyash_error(c, NYASH_E_PLUGIN, "a mistake in the plugin: %s did not reserve its result", m->name);
        return NULL;
    }
    *code = NYASH_OK;
    c->written = NYASH_WROTE_RESULT;
    return nyash_put_entry(c, type == NYASH_FOREIGN ? (unsigned)NYASH_TAG_HANDLE : type, size);
}

static inline int32_t nyash_put_number(NyashContext *c, unsigned tag, uint64_t v, size_t size)
{
    int32_t code;
    uint8_t *at = nyash_put_result(c, tag, size, &code);

    if (at != NULL && size == 8)
        nyash_put_u64(at, v);
    else if (at != NULL && size == 4)
        nyash_put_u32(at, (uint32_t)v);
    else if (at != NULL)
        *at = v != 0;
    return code;
}

/* These end a method with a result: `return nyash_return_i64(c, n);`. They must
 * agree with the type that the method declares. */
static inline int32_t nyash_return_void(NyashContext *c)
{
    nyash_drop_result(c);
    return NYASH_OK;
}

static inline int32_t nyash_return_bool(NyashContext *c, int v)
{
    return nyash_put_number(c, NYASH_TAG_BOOL, v != 0, 1);
}

static inline int32_t nyash_return_i32(NyashContext *c, int32_t v)
{
    return nyash_put_number(c, NYASH_TAG_I32, (uint32_t)v, 4);
}

static inline int32_t nyash_return_i64(NyashContext *c, int64_t v)
{
    return nyash_put_number(c, NYASH_TAG_I64, (uint64_t)v, 8);
}

static inline int32_t nyash_return_f32(NyashContext *c, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    return nyash_put_number(c, NYASH_TAG_F32, bits, 4);
}

static inline int32_t nyash_return_f64(NyashContext *c, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return nyash_put_number(c, NYASH_TAG_F64, bits, 8);
}

static inline int32_t nyash_return_bytes(NyashContext *c, const void *data, size_t size)
{
    int32_t code;
    uint8_t *at = nyash_put_result(c, NYASH_TAG_BYTES, size, &code);

    if (at != NULL && size != 0)
        memmove(at, data, size);
    return code;
}

/* Text that is not UTF-8 is NYASH_E_INVALID_UTF8. */
static inline int32_t nyash_return_string(NyashContext *c, const char *text, size_t size)
{
    size_t valid = nyash_utf8_valid((const uint8_t *)text, size);
    int32_t code;
    uint8_t *at;

    if (valid < size)
        return nyash_error(c, NYASH_E_INVALID_UTF8, "the result of %s is not UTF-8 at byte %lu", c->method->name,
                           (unsigned long)valid);
    at = nyash_put_result(c, NYASH_TAG_STRING, size, &code);
    if (at != NULL && size != 0)
        memmove(at, text, size);
    return code;
}

/* Text that ends in NUL. */
static inline int32_t nyash_return_text(NyashContext *c, const char *text)
{
    return nyash_return_string(c, text, strlen(text));
}

/* The size bytes that the method wrote where nyash_reserve said, as its
 * declared type: String or Bytes. */
static inline int32_t nyash_return_reserved(NyashContext *c, size_t size)
{
    const char *data = (const char *)c->buffer + NYASH_MESSAGE_SIZE(0);

    if (c->method->result == NYASH_STRING)
        return nyash_return_string(c, data, size);
    return nyash_return_bytes(c, data, size);
}

/* Hands memory of nyash_blob_alloc, of at least this size, over to the host. It
 * is freed if that fails or if the method answers an error after all. */
static inline int32_t nyash_return_blob_owned(NyashContext *c, uint8_t *blob, size_t size)
{
    int32_t code;
    uint8_t *at = nyash_put_result(c, NYASH_TAG_BLOB, 16, &code);

    if (at == NULL) {
        nyash_blob_free(blob);
        return code;
    }
    nyash_put_u64(at, (uint64_t)(uintptr_t)blob);
    nyash_put_u64(at + 8, blob == NULL ? 0 : (uint64_t)size);
    c->blob = blob;
    return code;
}

/* Answers a copy of the data as a blob. */
static inline int32_t nyash_return_blob(NyashContext *c, const void *data, size_t size)
{
    uint8_t *blob = NULL;

    if (size != 0) {
        blob = nyash_blob_alloc(size);
        if (blob == NULL)
            return nyash_error_memory(c);
        memcpy(blob, data, size);
    }
    return nyash_return_blob_owned(c, blob, size);
}

/* Makes an instance of a box of this library (NULL: of the box that has the
 * method), without calling its birth: its state is zeroed, and the method fills
 * it in. A call that does not end with it as its result ends it, with the box's
 * fini. One for each call. NULL if there is no memory. */
static inline void *nyash_create(NyashContext *c, const NyashBox *box)
{
    if (c->unfinished != NULL)
        return NULL;
    c->unfinished = nyash_instance_new(box != NULL ? box : c->box);
    return c->unfinished == NULL ? NULL : c->unfinished->state;
}

/* Answers a Handle of the instance that has this state: a new one of
 * nyash_create, which gets its id when the method has returned, the method's
 * own, or an argument's. */
static inline int32_t nyash_return_instance(NyashContext *c, void *state)
{
    NyashInstance *i = nyash_instance_of(state);
    int32_t code;
    uint8_t *at = nyash_put_result(c, NYASH_TAG_HANDLE, 8, &code);

    if (at == NULL)
        return code;
    nyash_put_u32(at, i->box->type_id);
    if (i == c->unfinished)
        c->written = NYASH_WROTE_UNFINISHED;
    else
        nyash_put_u32(at + 4, (uint32_t)(NYASH_LOAD(&i->held) >> 32));
    return NYASH_OK;
}

/* ---- Arguments --------------------------------------------------------- */

/* The state of the instance that the method is called on. */
static inline void *nyash_self(const NyashContext *c) { return c->instance->state; }

/* The number of arguments. */
static inline size_t nyash_arg_count(const NyashContext *c) { return c->reader.count; }

/* An argument as it came; i counts from 0. One that was left out is a Void, and
 * so are those behind NYASH_MAX_ARGS: read them with nyash_args. */
static inline NyashValue nyash_arg(const NyashContext *c, size_t i)
{
    NyashValue none = {NYASH_TAG_VOID, 0, NULL};

    return i < c->count ? c->at[i] : none;
}

/* Whether an optional argument was given. */
static inline int nyash_arg_given(const NyashContext *c, size_t i) { return i < c->reader.count; }

/* All arguments, for methods with NYASH_UNDECLARED. They have been checked. */
static inline NyashReader nyash_args(const NyashContext *c) { return c->reader; }

/* The arguments by type. The type has been compared with the method's table; a
 * function that does not fit it, or an argument that was left out, gives 0 or
 * an empty text. */
#define NYASH_ARG_FUNCTION(name, type)                                      \
    static inline type nyash_arg_##name(const NyashContext *c, size_t i)    \
    {                                                                       \
        NyashValue v = nyash_arg(c, i);                                     \
        return nyash_value_##name(&v);                                      \
    }

NYASH_ARG_FUNCTION(bool, int)
NYASH_ARG_FUNCTION(i32, int32_t)
NYASH_ARG_FUNCTION(i64, int64_t)
NYASH_ARG_FUNCTION(f32, float)
NYASH_ARG_FUNCTION(f64, double)
NYASH_ARG_FUNCTION(string, NyashText)
NYASH_ARG_FUNCTION(bytes, NyashBytes)
NYASH_ARG_FUNCTION(blob, NyashBytes)

/* A copy of a String or Bytes argument that ends in NUL, for functions of C; one
 * that holds a NUL is NYASH_E_INVALID_ARGS. The caller frees *text with free;
 * it is NULL after an error. */
static inline int32_t nyash_arg_cstring(NyashContext *c, size_t i, char **text)
{
    NyashBytes bytes = nyash_arg_bytes(c, i);

    *text = NULL;
    if (bytes.size != 0 && memchr(bytes.data, '\0', bytes.size) != NULL) {
        const char *name = c->method->args[i].name; /* NULL if the method is NYASH_UNDECLARED */
        char problem[96];
        snprintf(problem, sizeof problem, "a %.48s cannot hold a NUL byte", name != NULL ? name : "text");
        return nyash_error_arg(c, i, problem);
    }
    *text = (char *)malloc(bytes.size + 1);
    if (*text == NULL)
        return nyash_error_memory(c);
    if (bytes.size != 0)
        memcpy(*text, bytes.data, bytes.size);
    (*text)[bytes.size] = '\0';
    return NYASH_OK;
}

/* The state of the instance that a Handle argument names, held until the method
 * returns. NULL if the argument was left out. It may be the method's own. */
static inline void *nyash_arg_instance(const NyashContext *c, size_t i)
{
    return i < c->count && c->at[i].tag == NYASH_TAG_HANDLE && c->method->args[i].type % NYASH_OPTIONAL == NYASH_HANDLE
               ? c->arg_state[i]
               : NULL;
}

/* Says in words what is wrong with the arguments. */
static inline int32_t nyash_error_tlv(NyashContext *c)
{
    static const char intro[] = "malformed arguments";
    const NyashReader *r = &c->reader;
    const uint8_t *entry = r->data + r->at;
    unsigned long at = (unsigned long)r->offset;
    int fixed = 0;
    const char *name = NULL;
    unsigned tag = 0;
    unsigned long size = 0;

    if (r->size >= NYASH_TLV_HEADER_SIZE && r->size - r->at >= NYASH_TLV_ENTRY_SIZE) {
        tag = entry[0];
        name = nyash_tag_name(tag, &fixed);
        size = nyash_get_u16(entry + 2);
    }
    switch (r->error) {
    case NYASH_TLV_E_VERSION:
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: TLV version %u, not %d, at byte 0", intro,
                           (unsigned)nyash_get_u16(r->data), NYASH_TLV_VERSION);
    case NYASH_TLV_E_TAG:
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: unknown tag %u at byte %lu", intro, tag, at);
    case NYASH_TLV_E_RESERVED_TAG:
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: reserved tag %u (%s) at byte %lu", intro, tag, name, at);
    case NYASH_TLV_E_RESERVED_BYTE:
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: reserved byte is %u at byte %lu", intro, (unsigned)entry[1],
                           at);
    case NYASH_TLV_E_SIZE:
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: %s of %lu bytes, not %d, at byte %lu", intro, name, size,
                           fixed, at);
    case NYASH_TLV_E_TRAILING:
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: trailing bytes from byte %lu on", intro, at);
    case NYASH_TLV_E_UTF8:
        return nyash_error(c, NYASH_E_INVALID_UTF8, "%s: string is not UTF-8 at byte %lu", intro, at);
    }
    if (r->size < NYASH_TLV_HEADER_SIZE)
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: the header needs %d bytes, the message has %lu", intro,
                           NYASH_TLV_HEADER_SIZE, (unsigned long)r->size);
    if (r->offset == r->at)
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: entry missing or cut short at byte %lu", intro, at);
    return nyash_error(c, NYASH_E_INVALID_ARGS, "%s: %s of %lu bytes, and %lu are left, at byte %lu", intro, name, size,
                       (unsigned long)(r->size - r->offset), at - 2);
}

/* Decodes all arguments and keeps the first ones. */
static inline int32_t nyash_decode(NyashContext *c, const uint8_t *args, size_t size)
{
    NyashReader r;
    NyashValue v;
    int more;

    if (nyash_reader_open(&c->reader, args, size) != 0)
        return nyash_error_tlv(c);
    r = c->reader; /* at the first argument, for nyash_args */
    while ((more = nyash_reader_next(&r, &v)) > 0)
        if (c->count < NYASH_MAX_ARGS)
            c->at[c->count++] = v;
    if (more == 0)
        return NYASH_OK;
    c->reader = r;
    return nyash_error_tlv(c);
}

static inline int32_t nyash_error_instance(NyashContext *c, const char *box, uint32_t id)
{
    return nyash_error(c, NYASH_E_INVALID_HANDLE, "there is no %s with instance id %u", box, (unsigned)id);
}

/* What an argument of a type may be, in words and as a bit for each tag. */
static inline const char *nyash_wanted(uint32_t type, uint32_t *tags)
{
    *tags = type == NYASH_ANY ? UINT32_MAX : UINT32_C(1) << (type & 31);
    switch (type) {
    case NYASH_I64:
        *tags |= UINT32_C(1) << NYASH_TAG_I32;
        return "i64 or i32";
    case NYASH_F64:
        *tags |= UINT32_C(1) << NYASH_TAG_F32;
        return "f64 or f32";
    case NYASH_BYTES:
        *tags |= UINT32_C(1) << NYASH_TAG_STRING;
        return "bytes or string";
    case NYASH_FOREIGN:
        *tags = UINT32_C(1) << NYASH_TAG_HANDLE;
        break;
    case NYASH_ANY:
        return "a value";
    }
    return nyash_type_name(type);
}

/* The box that a table names, or `own` if it does not say; NULL if there is none. */
static inline const NyashBox *nyash_find_box(const NyashBox *own, const char *name)
{
    size_t k;

    if (name == NULL)
        return own;
    for (k = 0; k < nyash_library.box_count; k++)
        if (strcmp(nyash_library.boxes[k]->name, name) == 0)
            return nyash_library.boxes[k];
    return NULL;
}

/* Looks at an argument whose type fits: a Handle is looked up and held, a
 * Blob's memory must be possible. */
static inline int32_t nyash_check_reference(NyashContext *c, size_t i)
{
    const NyashArg *arg = &c->method->args[i];
    const NyashBox *box;
    const NyashValue *v = &c->at[i];
    NyashInstance *instance;

    if (v->tag == NYASH_TAG_BLOB) {
        uint64_t size = nyash_get_u64(v->data + 8);
        if (nyash_get_u64(v->data) > UINTPTR_MAX || size > PTRDIFF_MAX)
            return nyash_error_arg(c, i, "longer than this machine's memory");
        if (nyash_get_u64(v->data) == 0 && size != 0)
            return nyash_error_arg(c, i, "a blob with a length and no address");
        return NYASH_OK;
    }
    box = nyash_find_box(c->box, arg->box);
    if (box == NULL) /* which init has refused */
        return nyash_error(c, NYASH_E_PLUGIN,
                           "a mistake in the plugin: argument %lu (%s) is of box \"%s\", which this library does not have",
                           (unsigned long)i + 1, arg->name, arg->box);
    if (nyash_value_type(v) != box->type_id)
        return nyash_error(c, NYASH_E_INVALID_ARGS, "argument %lu (%s): wanted an instance of %s (type %u), got a box of type %u",
                           (unsigned long)i + 1, arg->name, box->name, (unsigned)box->type_id,
                           (unsigned)nyash_value_type(v));
    instance = nyash_instance_find(box, nyash_value_instance(v));
    if (instance == NULL)
        return nyash_error_instance(c, box->name, nyash_value_instance(v));
    c->held[c->held_count++] = instance;
    c->arg_state[i] = instance->state;
    return NYASH_OK;
}

/* Compares number and types of the arguments with those declared. */
static inline int32_t nyash_check_args(NyashContext *c)
{
    const NyashMethod *m = c->method;
    size_t known = 0, required = 0, i;

    if ((m->flags & NYASH_UNDECLARED) != 0)
        return NYASH_OK;
    while (known < NYASH_MAX_ARGS && m->args[known].name != NULL) {
        if (m->args[known].type < NYASH_OPTIONAL)
            required = known + 1;
        known++;
    }
    if (c->reader.count > known)
        return nyash_error(c, NYASH_E_INVALID_ARGS, "%s takes %s%lu argument%s, got %lu", m->name,
                           required < known ? "at most " : "", (unsigned long)known, known == 1 ? "" : "s",
                           (unsigned long)c->reader.count);
    for (i = 0; i < known; i++) {
        uint32_t tags;
        const char *wanted;
        int ignored;

        if (i >= c->count && i >= required)
            return NYASH_OK;
        wanted = nyash_wanted(m->args[i].type % NYASH_OPTIONAL, &tags);
        if (i >= c->count)
            return nyash_error(c, NYASH_E_INVALID_ARGS, "argument %lu (%s) is missing: wanted %s", (unsigned long)i + 1,
                               m->args[i].name, wanted);
        if ((tags >> c->at[i].tag & 1) == 0)
            return nyash_error(c, NYASH_E_INVALID_ARGS, "argument %lu (%s): wanted %s, got %s", (unsigned long)i + 1,
                               m->args[i].name, wanted, nyash_tag_name(c->at[i].tag, &ignored));
    }
    return NYASH_OK;
}

/* The entry n of what all boxes use, or NULL behind the last one. */
static inline const char *nyash_listed(size_t n)
{
    size_t i, k;

    for (i = 0; i < nyash_library.box_count; i++)
        for (k = 0; k < NYASH_MAX_USES && nyash_library.boxes[i]->uses[k] != NULL; k++)
            if (n-- == 0)
                return nyash_library.boxes[i]->uses[k];
    return NULL;
}

/* ---- The self-description ---------------------------------------------- */

/* Text that grows; failed when there is no memory. */
typedef struct NyashBuilder {
    char *data;
    size_t size, capacity;
    int failed;
} NyashBuilder;

static inline void nyash_append(NyashBuilder *b, const char *data, size_t size)
{
    if (b->failed)
        return;
    if (size >= b->capacity - b->size) { /* one byte is for the NUL */
        size_t capacity = (b->capacity + size + 1) * 2;
        char *larger = (char *)realloc(b->data, capacity);
        if (larger == NULL) {
            b->failed = 1;
            return;
        }
        b->data = larger;
        b->capacity = capacity;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

static inline void nyash_append_text(NyashBuilder *b, const char *text) { nyash_append(b, text, strlen(text)); }

/* Appends a basic string of TOML. What is not UTF-8 becomes question marks. */
static inline void nyash_append_quoted(NyashBuilder *b, const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t left = strlen(text), length;
    char escape[8];

    nyash_append(b, "\"", 1);
    for (; left > 0; s += length, left -= length) {
        length = nyash_utf8_sequence(s, left);
        if (length == 0) {
            length = 1;
            nyash_append(b, "?", 1);
        } else if (*s == '"' || *s == '\\') {
            nyash_append(b, "\\", 1);
            nyash_append(b, (const char *)s, 1);
        } else if (*s == '\n') {
            nyash_append(b, "\\n", 2);
        } else if (*s < 0x20 || *s == 0x7F) {
            snprintf(escape, sizeof escape, "\\u%04X", (unsigned)*s);
            nyash_append_text(b, escape);
        } else {
            nyash_append(b, (const char *)s, length);
        }
    }
    nyash_append(b, "\"", 1);
}

static inline void nyash_append_key(NyashBuilder *b, const char *name)
{
    static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    if (name[0] != '\0' && strspn(name, bare) == strlen(name))
        nyash_append_text(b, name);
    else
        nyash_append_quoted(b, name);
}

/* Appends `before key = "value"`, unless there is no value. */
static inline void nyash_append_string(NyashBuilder *b, const char *before, const char *value, const char *after)
{
    if (value == NULL)
        return;
    nyash_append_text(b, before);
    nyash_append_quoted(b, value);
    nyash_append_text(b, after);
}

/* The caller's type for a type of the wire, unless the author says another. */
static inline const char *nyash_from(uint32_t type)
{
    switch (type) {
    case NYASH_BOOL:
        return "bool";
    case NYASH_I32:
    case NYASH_I64:
        return "integer";
    case NYASH_F32:
    case NYASH_F64:
        return "float";
    case NYASH_STRING:
        return "string";
    case NYASH_HANDLE:
    case NYASH_FOREIGN:
        return "box";
    }
    return "bytes"; /* and blob */
}

/* Whether the self-description has the method's arguments. nyash.toml cannot
 * say that one may be left out, so a method with such stays undeclared. */
static inline int nyash_describes_args(const NyashMethod *m)
{
    size_t i;

    if ((m->flags & NYASH_UNDECLARED) != 0)
        return 0;
    for (i = 0; i < NYASH_MAX_ARGS && m->args[i].name != NULL; i++)
        if (m->args[i].type >= NYASH_OPTIONAL)
            return 0;
    return 1;
}

/* The result's type as nyash.toml writes it, or NULL. */
static inline const char *nyash_returns(const NyashBox *box, const NyashMethod *m)
{
    if (m->result == NYASH_ANY || m->id == NYASH_METHOD_BIRTH)
        return NULL;
    if (m->result == NYASH_HANDLE)
        return m->result_box != NULL ? m->result_box : box->name;
    return nyash_type_name(m->result == 0 ? (uint32_t)NYASH_VOID : m->result);
}

static inline void nyash_describe_args(NyashBuilder *b, const NyashMethod *m, int docs)
{
    size_t i;

    nyash_append_text(b, ", args = [");
    for (i = 0; i < NYASH_MAX_ARGS && m->args[i].name != NULL; i++) {
        const NyashArg *a = &m->args[i];
        nyash_append_text(b, i == 0 ? "" : ", ");
        nyash_append_string(b, "{ name = ", a->name, "");
        if (a->type != NYASH_ANY) {
            nyash_append_string(b, ", from = ", a->from != NULL ? a->from : nyash_from(a->type), "");
            nyash_append_string(b, ", to = ", nyash_type_name(a->type), "");
        }
        nyash_append_string(b, ", doc = ", docs ? a->doc : NULL, "");
        nyash_append_text(b, " }");
    }
    nyash_append_text(b, "]");
}

/* What the boxes use, each entry once. It is the library's, so that the first box
 * has all of it. */
static inline void nyash_describe_uses(NyashBuilder *b)
{
    size_t k, n = 0;
    const char *listed;

    while ((listed = nyash_listed(n)) != NULL) {
        for (k = 0; k < n && strcmp(nyash_listed(k), listed) != 0; k++) {
        }
        if (k == n)
            nyash_append_string(b, n == 0 ? "uses = [" : ", ", listed, "");
        n++;
    }
    if (n > 0)
        nyash_append_text(b, "]\n");
}

static inline void nyash_describe_box(NyashBuilder *b, const NyashBox *box, int docs)
{
    char number[48];
    size_t i;

    nyash_append_text(b, "[plugins.");
    nyash_append_key(b, box->name);
    snprintf(number, sizeof number, "]\ntype_id = %u\n", (unsigned)box->type_id);
    nyash_append_text(b, number);
    nyash_append_string(b, "doc = ", docs ? box->doc : NULL, "\n");
    if ((box->flags & NYASH_SINGLETON) != 0)
        nyash_append_text(b, "singleton = true\n");
    nyash_append_string(b, "threads = ", box->threads, "\n");
    if (box == nyash_library.boxes[0])
        nyash_describe_uses(b);
    nyash_append_text(b, "\n[plugins.");
    nyash_append_key(b, box->name);
    nyash_append_text(b, ".methods]\n");
    for (i = 0; i < box->method_count; i++) {
        const NyashMethod *m = &box->methods[i];
        nyash_append_key(b, m->name);
        snprintf(number, sizeof number, " = { method_id = %u", (unsigned)m->id);
        nyash_append_text(b, number);
        if (nyash_describes_args(m))
            nyash_describe_args(b, m, docs);
        nyash_append_string(b, ", returns = ", nyash_returns(box, m), "");
        if ((m->flags & NYASH_RETURNS_RESULT) != 0)
            nyash_append_text(b, ", returns_result = true");
        if ((m->flags & NYASH_LEAF) != 0)
            nyash_append_text(b, ", leaf = true");
        nyash_append_string(b, ", doc = ", docs ? m->doc : NULL, "");
        nyash_append_text(b, " }\n");
    }
    nyash_append_text(b, "\n");
}

/* The whole text, which is the caller's to free, or NULL. Docs are left out of
 * a text that would be longer than a host reads. */
static inline char *nyash_describe(int docs)
{
    NyashBuilder b = {NULL, 0, 0, 0};
    size_t i;

    for (i = 0; i < nyash_library.box_count; i++)
        nyash_describe_box(&b, nyash_library.boxes[i], docs);
    if (!b.failed && b.size <= UINT32_C(1) << 20)
        return b.data;
    free(b.data);
    return docs && !b.failed ? nyash_describe(0) : NULL;
}

static inline uint32_t nyash_hash(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * UINT32_C(16777619);
    return hash;
}

/* FNV-1a of `name(to,to)returns`: `any` for an argument without a type, `...`
 * for undeclared arguments, nothing for an undeclared result. */
static inline uint32_t nyash_signature(const NyashBox *box, const NyashMethod *m)
{
    uint32_t hash = nyash_hash(UINT32_C(2166136261), m->name);
    const char *returns = nyash_returns(box, m);
    size_t i;

    hash = nyash_hash(hash, "(");
    if (!nyash_describes_args(m))
        hash = nyash_hash(hash, "...");
    for (i = 0; nyash_describes_args(m) && i < NYASH_MAX_ARGS && m->args[i].name != NULL; i++) {
        hash = nyash_hash(hash, i == 0 ? "" : ",");
        hash = nyash_hash(hash, m->args[i].type == NYASH_ANY ? "any" : nyash_type_name(m->args[i].type));
    }
    hash = nyash_hash(hash, ")");
    return returns == NULL ? hash : nyash_hash(hash, returns);
}

/* ---- The functions that the host calls --------------------------------- */

static inline const NyashMethod *nyash_find_method(const NyashBox *box, uint32_t id)
{
    size_t i;

    /* In most tables ids count up, with birth in front or without it. */
    if (id < box->method_count && box->methods[id].id == id)
        return &box->methods[id];
    for (i = 0; i < box->method_count; i++)
        if (box->methods[i].id == id)
            return &box->methods[i];
    return NULL;
}

/* The capacity that the method's largest result needs; 0 if it reserves it. */
static inline size_t nyash_needed(const NyashMethod *m)
{
    switch (m->result) {
    case NYASH_BOOL:
        return NYASH_MESSAGE_SIZE(1);
    case NYASH_I32:
    case NYASH_F32:
        return NYASH_MESSAGE_SIZE(4);
    case NYASH_I64:
    case NYASH_F64:
    case NYASH_HANDLE:
    case NYASH_FOREIGN:
        return NYASH_MESSAGE_SIZE(8);
    case NYASH_BLOB:
        return NYASH_MESSAGE_SIZE(16);
    case NYASH_STRING:
    case NYASH_BYTES:
    case NYASH_ANY:
        if (m->limit == NYASH_RESERVES)
            return 0;
        if (nyash_limit(m) < 16 && m->result == NYASH_ANY)
            return NYASH_MESSAGE_SIZE(16); /* which may be a Blob */
        return NYASH_MESSAGE_SIZE(nyash_limit(m));
    }
    return 0;
}

/* Sorts the instances of a call by address and drops duplicates: the order in
 * which all calls lock. */
static inline size_t nyash_sort_held(NyashInstance **held, size_t n)
{
    size_t i, k, kept = 0;

    for (i = 1; i < n; i++) {
        NyashInstance *one = held[i];
        for (k = i; k > 0 && (uintptr_t)held[k - 1] > (uintptr_t)one; k--)
            held[k] = held[k - 1];
        held[k] = one;
    }
    for (i = 0; i < n; i++)
        if (i == 0 || held[i] != held[i - 1])
            held[kept++] = held[i];
    return kept;
}

/* Locks an instance for a call on this thread, 0 where the host is not called.
 * Returns -1 if the thread has it already, which would wait for ever. */
static inline int nyash_enter(NyashInstance *i, uint64_t thread)
{
    if ((i->box->flags & NYASH_CONCURRENT) != 0)
        return 0;
    if (thread != 0 && NYASH_LOAD(&i->owner) == thread)
        return -1;
    nyash_lock(&i->lock);
    if (thread != 0)
        NYASH_STORE(&i->owner, thread);
    return 0;
}

static inline void nyash_leave(NyashInstance *i)
{
    if ((i->box->flags & NYASH_CONCURRENT) != 0)
        return;
    if (NYASH_LOAD(&i->owner) != 0)
        NYASH_STORE(&i->owner, UINT64_C(0));
    nyash_unlock(&i->lock);
}

/* Runs the method with its instances locked. */
static inline int32_t nyash_run(NyashContext *c, NyashInstance *self)
{
    NyashInstance *order[NYASH_MAX_ARGS + 1];
    /* Only where the host is called can a call come back to an instance. */
    uint64_t thread = NYASH_LOAD(&nyash_state.calls) == NULL ? 0 : nyash_thread();
    size_t n = 0, i;
    int32_t code;

    if (self != NULL)
        order[n++] = self;
    for (i = 0; i < c->held_count; i++)
        order[n++] = c->held[i];
    if (n > 1)
        n = nyash_sort_held(order, n);
    for (i = 0; i < n && nyash_enter(order[i], thread) == 0; i++) {
    }
    if (i < n) {
        code = nyash_error(c, NYASH_E_PLUGIN, "%s %u is in the call that led to this one", order[i]->box->name,
                           (unsigned)(NYASH_LOAD(&order[i]->held) >> 32));
        n = i;
    } else {
        code = c->method->call(c);
    }
    while (n-- > 0)
        nyash_leave(order[n]);
    if (code == NYASH_E_SHORT_BUFFER && c->written != NYASH_WROTE_SIZE)
        return nyash_error(c, NYASH_E_PLUGIN, "a mistake in the plugin: %s asked for a larger buffer, not for a size",
                           c->method->name);
    return code;
}

/* Gives an instance its id and, with it, to the host. */
static inline int32_t nyash_publish(NyashContext *c, NyashInstance *i, uint32_t *id)
{
    int32_t code = nyash_instance_publish(i, id);

    if (code == NYASH_E_OUT_OF_MEMORY)
        return nyash_error_memory(c);
    return code == NYASH_OK ? code : nyash_error(c, code, "the plugin is not initialised");
}

/* What is left to do for a method that succeeded without a finished result. */
static inline int32_t nyash_finish(NyashContext *c)
{
    const NyashMethod *m = c->method;
    uint32_t id;

    if (c->written == NYASH_WROTE_UNFINISHED) {
        NYASH_TRY(nyash_publish(c, c->unfinished, &id));
        nyash_put_u32(c->buffer + NYASH_MESSAGE_SIZE(4), id);
        c->unfinished = NULL;
        c->written = NYASH_WROTE_RESULT;
        return NYASH_OK;
    }
    if (m->result == 0 || m->result == NYASH_VOID || m->result == NYASH_ANY)
        return NYASH_OK;
    return nyash_error(c, NYASH_E_PLUGIN, "a mistake in the plugin: %s returned no result", m->name);
}

/* Makes an instance, has the method birth set it up if there is one, and
 * answers its id. */
static inline int32_t nyash_birth(NyashContext *c)
{
    uint32_t id;
    int32_t code = NYASH_OK;

    c->instance = nyash_instance_new(c->box);
    if (c->instance == NULL)
        return nyash_error_memory(c);
    if (c->method->call != NULL)
        code = nyash_run(c, NULL);
    if (code != NYASH_OK) {
        nyash_instance_free(c->instance);
        return code;
    }
    code = nyash_publish(c, c->instance, &id);
    if (code != NYASH_OK) {
        nyash_instance_end(c->instance);
        return code;
    }
    nyash_put_u32(c->buffer, id);
    c->size = 4;
    c->written = NYASH_WROTE_RESULT;
    return NYASH_OK;
}

/* Makes a call whose method is known. The instances that its arguments name
 * are held; the caller releases them. */
static inline int32_t nyash_call_method(NyashContext *c, uint32_t instance_id)
{
    const NyashMethod *m = c->method;
    size_t need = m->id == NYASH_METHOD_BIRTH ? 4 : nyash_needed(m), i;
    int32_t code;

    if (m->id != NYASH_METHOD_BIRTH) {
        c->instance = nyash_instance_find(c->box, instance_id);
        if (c->instance == NULL)
            return nyash_error_instance(c, c->box->name, instance_id);
    }
    for (i = 0; i < c->count && (m->flags & NYASH_UNDECLARED) == 0; i++) {
        uint32_t type = m->args[i].type % NYASH_OPTIONAL;
        if (type != NYASH_HANDLE && type != NYASH_BLOB)
            continue;
        code = nyash_check_reference(c, i);
        if (code != NYASH_OK)
            return code;
    }
    if (c->capacity < need) {
        c->size = need;
        c->written = NYASH_WROTE_SIZE;
        return NYASH_E_SHORT_BUFFER;
    }
    if (m->id == NYASH_METHOD_BIRTH)
        return nyash_birth(c);
    code = nyash_run(c, c->instance);
    return code == NYASH_OK && c->written != NYASH_WROTE_RESULT ? nyash_finish(c) : code;
}

/* Finds box and method, checks the arguments and makes the call. */
static inline int32_t nyash_dispatch(NyashContext *c, uint32_t type_id, uint32_t method_id, uint32_t instance_id,
                                     const uint8_t *args, size_t args_len)
{
    static const NyashMethod birth = {NYASH_METHOD_BIRTH, "birth", NULL, {NYASH_ARG(NULL, 0)}, 0, NULL, 0, 0, NULL};
    static const NyashMethod fini = {NYASH_METHOD_FINI, "fini", NULL, {NYASH_ARG(NULL, 0)}, 0, NULL, 0, 0, NULL};
    size_t i, n = nyash_library.box_count;
    int32_t code;

    for (i = 0; i < n && nyash_library.boxes[i]->type_id != type_id; i++) {
    }
    if (i == n && n == 1)
        return nyash_error(c, NYASH_E_INVALID_TYPE, "this library has type %u (%s), not %u",
                           (unsigned)nyash_library.boxes[0]->type_id, nyash_library.boxes[0]->name, (unsigned)type_id);
    if (i == n)
        return nyash_error(c, NYASH_E_INVALID_TYPE, "this library has no type %u", (unsigned)type_id);
    c->box = nyash_library.boxes[i];
    c->method = method_id == NYASH_METHOD_FINI ? &fini : nyash_find_method(c->box, method_id);
    if (c->method == NULL && method_id == NYASH_METHOD_BIRTH)
        c->method = &birth;
    if (c->method == NULL)
        return nyash_error(c, NYASH_E_INVALID_METHOD, "%s has no method with id %u", c->box->name,
                           (unsigned)method_id);
    /* Hosts in the wild finalise without a message. */
    if (args_len != 0 || method_id != NYASH_METHOD_FINI) {
        code = nyash_decode(c, args, args_len);
        if (code == NYASH_OK)
            code = nyash_check_args(c);
        if (code != NYASH_OK)
            return code;
    }
    if (method_id == NYASH_METHOD_FINI)
        return nyash_instance_remove(c->box, instance_id) == 0 ? NYASH_OK
                                                               : nyash_error_instance(c, c->box->name, instance_id);
    return nyash_call_method(c, instance_id);
}

static inline int32_t nyash_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *args,
                                   size_t args_len, uint8_t *result, size_t *result_len)
{
    NyashContext c;
    size_t i;
    int32_t code;

    c.instance = c.unfinished = NULL;
    c.count = c.held_count = 0;
    c.buffer = result;
    c.capacity = result != NULL && result_len != NULL ? *result_len : 0;
    c.size = 0;
    c.written = 0;
    c.blob = NULL;
    c.passed.held = 0;
    code = nyash_dispatch(&c, type_id, method_id, instance_id, args, args_len);

    for (i = 0; i < c.held_count; i++)
        nyash_instance_release(c.held[i]);
    if (c.instance != NULL && method_id != NYASH_METHOD_BIRTH)
        nyash_instance_release(c.instance);
    if (c.unfinished != NULL)
        nyash_instance_end(c.unfinished);
    if (code != NYASH_OK) {
        nyash_blob_free(c.blob);
        if (c.passed.held)
            nyash_drop(&c.passed);
    }
    if (result_len == NULL)
        return code;
    if (code == NYASH_OK) /* a length of 0 is Void, and fits any buffer */
        *result_len = c.written == NYASH_WROTE_RESULT ? c.size : 0;
    else if (c.written == (code == NYASH_E_SHORT_BUFFER ? NYASH_WROTE_SIZE : NYASH_WROTE_MESSAGE))
        *result_len = c.size;
    return code;
}

/* Says which box of a method's Handles the library does not have, in text;
 * returns NULL if it has all. */
static inline const char *nyash_check_boxes(const NyashBox *box, const NyashMethod *m, char *text, size_t size)
{
    size_t i;

    for (i = 0; (m->flags & NYASH_UNDECLARED) == 0 && i < NYASH_MAX_ARGS && m->args[i].name != NULL; i++) {
        const NyashArg *a = &m->args[i];
        if (a->type % NYASH_OPTIONAL != NYASH_HANDLE || nyash_find_box(box, a->box) != NULL)
            continue;
        snprintf(text, size, "has argument %lu (%.48s) of box \"%.48s\", which this library does not have",
                 (unsigned long)i + 1, a->name, a->box);
        return text;
    }
    if (m->result != NYASH_HANDLE || nyash_find_box(box, m->result_box) != NULL)
        return NULL;
    snprintf(text, size, "has a result of box \"%.48s\", which this library does not have", m->result_box);
    return text;
}

/* Reports mistakes in the tables that a call would stumble over. */
static inline int nyash_check_tables(void)
{
    size_t i, k, l;

    for (i = 0; i < nyash_library.box_count; i++) {
        const NyashBox *box = nyash_library.boxes[i];
        if ((box->flags & ~(uint32_t)(NYASH_SINGLETON | NYASH_CONCURRENT)) != 0) {
            nyash_log(NYASH_LOG_ERROR, "%s: its flags (0x%lx) are no flags of a box; NYASH_LEAF, say, is a method's", box->name,
                      (unsigned long)box->flags);
            return -1;
        }
        for (k = 0; k < box->method_count; k++) {
            const NyashMethod *m = &box->methods[k];
            const char *problem = NULL;
            char text[256];
            if (m->name == NULL)
                problem = "has no name";
            else if (m->call == NULL)
                problem = "has no function";
            else if (m->id == NYASH_METHOD_FINI)
                problem = "has the id of fini, which is a function of the box";
            else if ((m->flags & ~(uint32_t)(NYASH_UNDECLARED | NYASH_LEAF | NYASH_RETURNS_RESULT)) != 0)
                problem = "has flags that are no flags of a method; NYASH_CONCURRENT, say, is a box's";
            for (l = 0; l < k && problem == NULL; l++)
                if (box->methods[l].id == m->id || strcmp(box->methods[l].name, m->name) == 0)
                    problem = "has the id or the name of another one";
            if (problem == NULL)
                problem = nyash_check_boxes(box, m, text, sizeof text);
            if (problem == NULL)
                continue;
            nyash_log(NYASH_LOG_ERROR, "%s: method %lu of the table (%s) %s", box->name, (unsigned long)k,
                      m->name != NULL ? m->name : "?", problem);
            return -1;
        }
    }
    return 0;
}

/* The methods of the first box, with birth and fini. NyashPluginInfo has room
 * for one box; the self-description has all of them. */
static inline NyashMethodInfo *nyash_method_info(const NyashBox *box, size_t *count)
{
    NyashMethodInfo *info = (NyashMethodInfo *)calloc(box->method_count + 2, sizeof *info);
    size_t n = 0, i;

    if (info == NULL)
        return NULL;
    if (nyash_find_method(box, NYASH_METHOD_BIRTH) == NULL) {
        info[n].method_id = NYASH_METHOD_BIRTH;
        info[n++].name = "birth";
    }
    for (i = 0; i < box->method_count; i++, n++) {
        info[n].method_id = box->methods[i].id;
        info[n].name = box->methods[i].name;
        info[n].signature = nyash_signature(box, &box->methods[i]);
    }
    info[n].method_id = NYASH_METHOD_FINI;
    info[n++].name = "fini";
    *count = n;
    return info;
}

/* Frees the description; the library is locked. */
static inline void nyash_free_description(void)
{
    free(nyash_state.info);
    free(nyash_state.config);
    nyash_state.info = NULL;
    nyash_state.config = NULL;
}

static inline int32_t nyash_init(const NyashHostVtable *host, NyashPluginInfo *info)
{
    NyashState *s = &nyash_state;
    NyashMethodInfo *methods;
    size_t count = 0;
    int32_t code;

    if (host == NULL || info == NULL)
        return NYASH_E_INVALID_ARGS;
    NYASH_STORE(&s->host, host);
    code = nyash_check_tables() == 0 ? (int32_t)NYASH_OK : (int32_t)NYASH_E_PLUGIN;
    methods = code == NYASH_OK ? nyash_method_info(nyash_library.boxes[0], &count) : NULL;
    if (code == NYASH_OK && methods == NULL)
        code = NYASH_E_OUT_OF_MEMORY;
    if (code == NYASH_OK && nyash_library.on_init != NULL)
        code = nyash_library.on_init();
    nyash_lock(&s->lock);
    if (code == NYASH_OK) {
        free(s->info);
        s->info = methods;
        s->ready = 1;
    } else { /* shutdown will not be called */
        free(methods);
        nyash_free_description();
        NYASH_STORE(&s->calls, (const NyashHostCalls *)NULL);
    }
    nyash_unlock(&s->lock);
    if (code != NYASH_OK)
        return code;
    info->type_id = nyash_library.boxes[0]->type_id;
    info->type_name = nyash_library.boxes[0]->name;
    info->method_count = count;
    info->methods = methods;
    nyash_log(NYASH_LOG_DEBUG, "%s is ready", info->type_name);
    return NYASH_OK;
}

/* The text is made at the first call and stays until shutdown. */
static inline const char *nyash_config(void)
{
    const char *text;

    nyash_lock(&nyash_state.lock);
    if (nyash_state.config == NULL)
        nyash_state.config = nyash_describe(1);
    text = nyash_state.config;
    nyash_unlock(&nyash_state.lock);
    return text;
}

/* Finalises what is left. An instance that a call still uses ends with it. */
static inline void nyash_shutdown(void)
{
    NyashState *s = &nyash_state;
    size_t k;

    nyash_lock(&s->lock);
    s->ready = 0;
    s->in_use++; /* keeps the table until the loop is over */
    for (k = 0; s->table != NULL && k <= s->table->mask; k++) {
        NyashInstance *i = s->table->slots[k];
        if (i == NULL)
            continue;
        NYASH_STORE(&s->table->slots[k], (NyashInstance *)NULL);
        s->count--;
        nyash_unlock(&s->lock);
        nyash_instance_release(i);
        nyash_lock(&s->lock);
    }
    if (--s->in_use == 0)
        nyash_free_table();
    nyash_free_description();
    nyash_unlock(&s->lock);
    if (nyash_library.on_shutdown != NULL)
        nyash_library.on_shutdown();
    NYASH_STORE(&s->calls, (const NyashHostCalls *)NULL); /* what is left calls nothing */
}

/* What a table of the later generation resolves: not birth, whose id is known. */
static inline uint32_t nyash_resolve(const NyashBox *box, const char *name)
{
    size_t i;

    for (i = 0; i < box->method_count; i++)
        if (strcmp(box->methods[i].name, name) == 0)
            return box->methods[i].id;
    return 0;
}

#ifdef __cplusplus
}
#endif

/* Frees the self-description of a library that is closed without an init. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(__wasm__)
#define NYASH_AT_UNLOAD                                                                                  \
    __attribute__((destructor)) static void nyash_at_unload(void) { nyash_free_description(); }
#else
#define NYASH_AT_UNLOAD
#endif

/* Defines the plugin, in one file of it: NYASH_PLUGIN(&box, ...), without a
 * semicolon. The other files include this header too, and use what it has. */
#define NYASH_PLUGIN(...) NYASH_PLUGIN_WITH(NULL, NULL, __VA_ARGS__)

/* The same with functions of the author's, or NULL: int32_t on_init(void), whose
 * code other than NYASH_OK is that of nyash_plugin_init, and void
 * on_shutdown(void), which is called when the instances have ended. */
#define NYASH_PLUGIN_WITH(on_init, on_shutdown, ...)                                                      \
    static const NyashBox *const nyash_boxes[] = {__VA_ARGS__};                                           \
    const NyashLibrary nyash_library = {nyash_boxes, sizeof nyash_boxes / sizeof nyash_boxes[0],          \
                                        (on_init), (on_shutdown)};                                        \
    NyashState nyash_state = {NYASH_MUTEX_INIT, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0}; \
    NYASH_AT_UNLOAD                                                                                       \
    uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }                                         \
    const char *nyash_plugin_config(void) { return nyash_config(); }                                      \
    int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info)                         \
    {                                                                                                     \
        return nyash_init(host, info);                                                                    \
    }                                                                                                     \
    int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id,               \
                                const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) \
    {                                                                                                     \
        return nyash_invoke(type_id, method_id, instance_id, args, args_len, result, result_len);         \
    }                                                                                                     \
    void nyash_plugin_shutdown(void) { nyash_shutdown(); }                                                \
    NYASH_DEFINE_INVOKE_BATCH

/* Exports a TypeBox table for a box beside the functions of NYASH_PLUGIN, for hosts
 * that look for one: NYASH_TYPEBOX(Counter, counter), without a semicolon, where
 * the NyashBox counter has the name "Counter". */
#ifdef __cplusplus
#define NYASH_EXTERN extern "C"
#else
#define NYASH_EXTERN extern
#endif
#define NYASH_TYPEBOX(Name, box)                                                                              \
    static uint32_t nyash_resolve_##Name(const char *name) { return nyash_resolve(&(box), name); }            \
    static int32_t nyash_invoke_##Name(uint32_t instance_id, uint32_t method_id, const uint8_t *args,         \
                                       size_t args_len, uint8_t *result, size_t *result_len)                  \
    {                                                                                                         \
        return nyash_invoke((box).type_id, method_id, instance_id, args, args_len, result, result_len);       \
    }                                                                                                         \
    NYASH_EXTERN NYASH_EXPORT const NyashTypeBox nyash_typebox_##Name;                                        \
    const NyashTypeBox nyash_typebox_##Name = {NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof(NyashTypeBox), \
                                               #Name, nyash_resolve_##Name, nyash_invoke_##Name, 0};

#endif /* NYASH_H */
