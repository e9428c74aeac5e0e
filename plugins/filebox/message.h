/*
 * FileBox's messages: UTF-8, the reply to the host, the arguments from the host.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * Part of filebox.c, which includes it first: the feature macros below count for
 * the headers of the system.
 */

#ifndef FILEBOX_MESSAGE_H
#define FILEBOX_MESSAGE_H

#if defined(_WIN32)
#error "FileBox is written for POSIX files and threads: on Windows, build it in Cygwin or WSL, for a host that runs there."
#endif

#undef _GNU_SOURCE /* with it, glibc's strerror_r is not the one of POSIX */
#undef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "nyash_plugin.h"

_Static_assert(sizeof(off_t) == 8, "FileBox promises 64-bit sizes and offsets");

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The size of a message with one entry. */
#define MESSAGE_SIZE(payload) \
    ((size_t)NYASH_TLV_HEADER_SIZE + NYASH_TLV_ENTRY_SIZE + (payload))

enum {
    MAX_ARGS = 2,  /* of any method */
    MIN_TEXT = 16  /* room below which an error goes without a message */
};

static const NyashHostVtable *_Atomic host;

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* ---- UTF-8 ------------------------------------------------------------- */

/* The length of the sequence that s begins with, or 0 if it is not UTF-8. n is
 * not 0. */
static size_t utf8_sequence(const uint8_t *s, size_t n)
{
    uint8_t lead = s[0], low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t len;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF) {
        len = 2;
    } else if ((lead & 0xF0) == 0xE0) {
        len = 3;
        if (lead == 0xE0)
            low = 0xA0; /* shorter forms exist below */
        else if (lead == 0xED)
            high = 0x9F; /* surrogates above */
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        len = 4;
        if (lead == 0xF0)
            low = 0x90;
        else if (lead == 0xF4)
            high = 0x8F; /* past U+10FFFF above */
    } else {
        return 0;
    }
    if (n < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

/* The number of bytes up to the first that is not UTF-8; n if there is none. */
static size_t utf8_valid(const uint8_t *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        size_t len = utf8_sequence(s + i, n - i);
        if (len == 0)
            break;
        i += len;
    }
    return i;
}

/* Makes text UTF-8 in place. If it was cut off, a sequence that the cut went
 * through is dropped. Returns the new length. */
static size_t utf8_clean(uint8_t *s, size_t n, bool cut)
{
    for (size_t back = 1; cut && back <= 3 && back <= n; back++) {
        uint8_t byte = s[n - back];
        if ((byte & 0xC0) == 0x80)
            continue;
        if (utf8_sequence(s + n - back, back) == 0)
            n -= back;
        break;
    }
    for (size_t i = utf8_valid(s, n); i < n; i += utf8_valid(s + i, n - i))
        s[i] = '?';
    return n;
}

/* ---- The reply to the host --------------------------------------------- */

static void put_le(uint8_t *dst, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        dst[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *src, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)src[i] << (8 * i);
    return v;
}

struct reply {
    uint8_t *buf;
    size_t cap;
    size_t *len; /* NULL if the host gave none; cap is 0 then */
};

static int32_t reply_done(struct reply *r, size_t size)
{
    if (r->len != NULL)
        *r->len = size;
    return NYASH_OK;
}

/* To be called before the method has changed anything. */
static int32_t reply_short(struct reply *r, size_t need)
{
    if (r->len != NULL)
        *r->len = need;
    return NYASH_E_SHORT_BUFFER;
}

/* A result of length 0 is Void, and fits any buffer. */
static int32_t reply_void(struct reply *r) { return reply_done(r, 0); }

/* Writes all of a message with one entry but its payload. */
static uint8_t *put_entry(struct reply *r, uint8_t tag, size_t size)
{
    put_le(r->buf, NYASH_TLV_VERSION, 2);
    put_le(r->buf + 2, 1, 2);
    put_le(r->buf + 4, tag, 2); /* and the reserved byte */
    put_le(r->buf + 6, size, 2);
    return r->buf + MESSAGE_SIZE(0);
}

/* The capacity has been checked: see struct method. */
static int32_t reply_number(struct reply *r, uint8_t tag, uint64_t v, size_t bytes)
{
    put_le(put_entry(r, tag, bytes), v, bytes);
    return reply_done(r, MESSAGE_SIZE(bytes));
}

/* Answers with a code and, if the buffer has room, its reason. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static int32_t fail(struct reply *r, int32_t code, const char *format, ...)
{
    va_list args;
    uint8_t *text;
    size_t room, size;
    int want;

    if (r->cap < MESSAGE_SIZE(MIN_TEXT))
        return code;
    text = r->buf + MESSAGE_SIZE(0);
    room = min_size(r->cap - MESSAGE_SIZE(0), NYASH_TLV_MAX_PAYLOAD);
    va_start(args, format);
    want = vsnprintf((char *)text, room, format, args);
    va_end(args);
    if (want < 0)
        return code;
    size = min_size((size_t)want, room - 1);
    size = utf8_clean(text, size, size < (size_t)want);
    put_entry(r, NYASH_TAG_STRING, size);
    *r->len = MESSAGE_SIZE(size);
    return code;
}

static int32_t fail_memory(struct reply *r)
{
    return fail(r, NYASH_E_OUT_OF_MEMORY, "out of memory");
}

/* The system's words for an error, to stand inside a sentence. */
static const char *reason(int err, char *text, size_t size)
{
    if (strerror_r(err, text, size) != 0)
        snprintf(text, size, "error %d", err);
    /* An abbreviation keeps its capitals. */
    if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
        text[0] = (char)(text[0] - 'A' + 'a');
    return text;
}

static int32_t fail_system(struct reply *r, int err, const char *path)
{
    char text[128];

    return fail(r, NYASH_E_PLUGIN, "%s: %s", reason(err, text, sizeof text),
                path[0] != '\0' ? path : "\"\"");
}

static void host_log(int32_t level, const char *msg)
{
    const NyashHostVtable *h = host;

    if (h != NULL && h->log != NULL)
        h->log(level, msg);
}

/* ---- The arguments from the host --------------------------------------- */

enum { VARIABLE = -1, RESERVED = -2 };

static const struct tag {
    const char *name;
    int size; /* of the payload, or one of the two above */
} tags[] = {
    [NYASH_TAG_BOOL] = {"bool", 1},
    [NYASH_TAG_I32] = {"i32", 4},
    [NYASH_TAG_I64] = {"i64", 8},
    [NYASH_TAG_F32] = {"f32", 4},
    [NYASH_TAG_F64] = {"f64", 8},
    [NYASH_TAG_STRING] = {"string", VARIABLE},
    [NYASH_TAG_BYTES] = {"bytes", VARIABLE},
    [NYASH_TAG_HANDLE] = {"handle", 8},
    [NYASH_TAG_VOID] = {"void", 0},
    [NYASH_TAG_BLOB] = {"blob", 16},
    [20] = {"result", RESERVED},
    [21] = {"option", RESERVED},
    [22] = {"array", RESERVED},
};

struct value {
    uint8_t tag;
    size_t size;
    const uint8_t *data; /* in the host's message */
};

struct args {
    size_t count;
    struct value at[MAX_ARGS]; /* entries past these were only checked */
};

/* Reads the entry at *pos and moves *pos behind it. */
static int32_t decode_entry(const uint8_t *msg, size_t len, size_t *pos,
                            struct value *v, struct reply *r)
{
    size_t at = *pos, left = len - at;
    const struct tag *tag;

    if (left < NYASH_TLV_ENTRY_SIZE)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: entry missing or cut short at byte %zu", at);
    v->tag = msg[at];
    v->size = (size_t)get_le(msg + at + 2, 2);
    v->data = msg + at + NYASH_TLV_ENTRY_SIZE;
    left -= NYASH_TLV_ENTRY_SIZE;

    if (v->tag >= COUNT(tags) || tags[v->tag].name == NULL)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: unknown tag %d at byte %zu", v->tag, at);
    tag = &tags[v->tag];
    if (tag->size == RESERVED)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: reserved tag %d (%s) at byte %zu", v->tag, tag->name, at);
    if (msg[at + 1] != 0)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: reserved byte is %d at byte %zu", msg[at + 1], at + 1);
    if (tag->size != VARIABLE && v->size != (size_t)tag->size)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: %s of %zu bytes, not %d, at byte %zu", tag->name, v->size,
                    tag->size, at + 2);
    if (v->size > left)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: %s of %zu bytes, and %zu are left, at byte %zu",
                    tag->name, v->size, left, at + 2);
    if (v->tag == NYASH_TAG_STRING) {
        size_t valid = utf8_valid(v->data, v->size);
        if (valid < v->size)
            return fail(r, NYASH_E_INVALID_ARGS,
                        "malformed arguments: string is not UTF-8 at byte %zu",
                        at + NYASH_TLV_ENTRY_SIZE + valid);
    }
    *pos = at + NYASH_TLV_ENTRY_SIZE + v->size;
    return NYASH_OK;
}

static int32_t decode(const uint8_t *msg, size_t len, struct args *args, struct reply *r)
{
    size_t pos = NYASH_TLV_HEADER_SIZE;
    unsigned version;

    if (msg == NULL || len < NYASH_TLV_HEADER_SIZE)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: the header needs %d bytes, the message has %zu",
                    NYASH_TLV_HEADER_SIZE, msg == NULL ? 0 : len);
    version = (unsigned)get_le(msg, 2);
    if (version != NYASH_TLV_VERSION)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: TLV version %u, not %d, at byte 0", version,
                    NYASH_TLV_VERSION);
    args->count = (size_t)get_le(msg + 2, 2);
    for (size_t i = 0; i < args->count; i++) {
        struct value v;
        int32_t code = decode_entry(msg, len, &pos, &v, r);
        if (code != NYASH_OK)
            return code;
        if (i < MAX_ARGS)
            args->at[i] = v;
    }
    if (pos < len)
        return fail(r, NYASH_E_INVALID_ARGS,
                    "malformed arguments: trailing bytes from byte %zu on", pos);
    return NYASH_OK;
}

#endif
