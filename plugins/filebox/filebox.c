/*
 * FileBox: files as a Nyash plugin, in C11 on POSIX files and threads.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * README.md says what each method does. The parts of this file, in order:
 * UTF-8, the reply to the host, the arguments from the host, the instances,
 * the files, the methods, and the functions that the host calls.
 *
 * Ownership: an instance is owned by the table and by each call under way on
 * it; whoever lets go last closes the file and frees the memory. A call holds
 * the locks of the instances that it works on, taken in the order of their
 * addresses, and takes the lock of the table only for moments.
 */

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

#define TYPE_ID UINT32_C(6)
#define TYPE_NAME "FileBox"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The size of a message with one entry. */
#define MESSAGE_SIZE(payload) \
    ((size_t)NYASH_TLV_HEADER_SIZE + NYASH_TLV_ENTRY_SIZE + (payload))

enum {
    MAX_ARGS = 2,          /* of any method */
    MIN_TEXT = 16,         /* room below which an error goes without a message */
    FIRST_BUCKETS = 16,    /* a power of two */
    COPY_BLOCK = 128 << 10, /* bytes that copyFrom moves at a time */
    FIRST_BLOB = 64 << 10  /* room for files whose size the system does not know */
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

/* ---- The instances ----------------------------------------------------- */

struct mode {
    const char *name;
    int flags;
};

struct box {
    atomic_size_t refs; /* the table's and those of calls under way */
    uint32_t id;
    struct box *next; /* in its bucket; guarded by table.lock */

    pthread_mutex_t lock; /* guards what follows */
    int fd;               /* -1 while no file is open */
    const struct mode *mode;
    char *path;
};

/* The table holds the instances in chains by their ids, which follow each
 * other and so spread evenly. */
static struct {
    pthread_mutex_t lock;
    bool ready; /* between init and shutdown */
    struct box **buckets;
    size_t size;      /* of buckets; a power of two or 0 */
    size_t count;     /* of instances */
    uint32_t last_id; /* outlives shutdown: an old id never names a new box */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct box *box_new(void)
{
    struct box *b = calloc(1, sizeof *b);

    if (b == NULL)
        return NULL;
    if (pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return NULL;
    }
    atomic_init(&b->refs, 1);
    b->fd = -1;
    return b;
}

/* Closes the file of a box that has one and returns 0 or an errno. The box has
 * none afterwards in either case, but keeps its path for the message. */
static int box_close(struct box *b)
{
    int fd = b->fd;

    b->fd = -1;
    b->mode = NULL;
    /* EINTR leaves no descriptor that could safely be closed again. */
    return close(fd) == 0 || errno == EINTR ? 0 : errno;
}

static void box_forget_path(struct box *b)
{
    free(b->path);
    b->path = NULL;
}

static void box_free(struct box *b)
{
    int err = b->fd >= 0 ? box_close(b) : 0;

    if (err != 0) {
        char text[128], line[512];
        snprintf(line, sizeof line, "closing a finalised FileBox: %s: %s",
                 reason(err, text, sizeof text), b->path);
        line[utf8_clean((uint8_t *)line, strlen(line), true)] = '\0';
        host_log(NYASH_LOG_WARN, line);
    }
    box_forget_path(b);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void box_release(struct box *b)
{
    if (b != NULL && atomic_fetch_sub(&b->refs, 1) == 1)
        box_free(b);
}

/* Where the pointer to the box with this id is or would be. The table is locked
 * and has buckets. */
static struct box **table_slot(uint32_t id)
{
    struct box **slot = &table.buckets[id & (table.size - 1)];

    while (*slot != NULL && (*slot)->id != id)
        slot = &(*slot)->next;
    return slot;
}

static bool table_grow(void)
{
    size_t size = table.size == 0 ? FIRST_BUCKETS : table.size * 2;
    struct box **buckets = calloc(size, sizeof(struct box *));

    if (buckets == NULL)
        return false;
    for (size_t i = 0; i < table.size; i++) {
        for (struct box *b = table.buckets[i], *next; b != NULL; b = next) {
            struct box **head = &buckets[b->id & (size - 1)];
            next = b->next;
            b->next = *head;
            *head = b;
        }
    }
    free(table.buckets);
    table.buckets = buckets;
    table.size = size;
    return true;
}

static int32_t table_add_locked(struct box *b)
{
    struct box **slot;

    if (!table.ready)
        return NYASH_E_PLUGIN;
    if (table.count == UINT32_MAX || (table.count == table.size && !table_grow()))
        return NYASH_E_OUT_OF_MEMORY;
    do {
        table.last_id++;
        slot = table_slot(table.last_id);
    } while (table.last_id == 0 || *slot != NULL);
    b->id = table.last_id;
    *slot = b;
    table.count++;
    return NYASH_OK;
}

/* Gives a new box its id and hands it over to the table, or frees it. Once it
 * is in the table another thread may end it, so the id is copied out. */
static int32_t table_add(struct box *b, uint32_t *id, struct reply *r)
{
    int32_t code;

    pthread_mutex_lock(&table.lock);
    code = table_add_locked(b);
    *id = b->id;
    pthread_mutex_unlock(&table.lock);
    if (code == NYASH_OK)
        return NYASH_OK;
    box_release(b);
    if (code == NYASH_E_OUT_OF_MEMORY)
        return fail_memory(r);
    return fail(r, code, "the plugin is not initialised");
}

/* Returns a reference to the box, or NULL. */
static struct box *table_find(uint32_t id)
{
    struct box *b = NULL;

    pthread_mutex_lock(&table.lock);
    if (table.size != 0)
        b = *table_slot(id);
    if (b != NULL)
        atomic_fetch_add(&b->refs, 1);
    pthread_mutex_unlock(&table.lock);
    return b;
}

/* Takes the box out and returns the table's reference to it, or NULL. */
static struct box *table_remove(uint32_t id)
{
    struct box *b = NULL;

    pthread_mutex_lock(&table.lock);
    if (table.size != 0) {
        struct box **slot = table_slot(id);
        b = *slot;
        if (b != NULL) {
            *slot = b->next;
            table.count--;
        }
    }
    pthread_mutex_unlock(&table.lock);
    return b;
}

static void table_clear(void)
{
    struct box **buckets;
    size_t size;

    pthread_mutex_lock(&table.lock);
    buckets = table.buckets;
    size = table.size;
    table.buckets = NULL;
    table.size = table.count = 0;
    table.ready = false;
    pthread_mutex_unlock(&table.lock);

    for (size_t i = 0; i < size; i++) {
        for (struct box *b = buckets[i], *next; b != NULL; b = next) {
            next = b->next;
            box_release(b);
        }
    }
    free(buckets);
}

/* Locks one or two boxes; b may be NULL or a again. The order by address keeps
 * a.copyFrom(b) and b.copyFrom(a) from waiting for each other. */
static void lock_both(struct box *a, struct box *b)
{
    if (b != NULL && (uintptr_t)b < (uintptr_t)a) {
        pthread_mutex_lock(&b->lock);
        pthread_mutex_lock(&a->lock);
        return;
    }
    pthread_mutex_lock(&a->lock);
    if (b != NULL && b != a)
        pthread_mutex_lock(&b->lock);
}

static void unlock_both(struct box *a, struct box *b)
{
    pthread_mutex_unlock(&a->lock);
    if (b != NULL && b != a)
        pthread_mutex_unlock(&b->lock);
}

/* ---- The files --------------------------------------------------------- */

static const struct mode modes[] = {
    {"r", O_RDONLY},
    {"w", O_WRONLY | O_CREAT | O_TRUNC},
    {"a", O_WRONLY | O_CREAT | O_APPEND},
    {"r+", O_RDWR},
    {"w+", O_RDWR | O_CREAT | O_TRUNC},
};

static bool mode_reads(const struct mode *m) { return (m->flags & O_ACCMODE) != O_WRONLY; }

static bool mode_writes(const struct mode *m) { return (m->flags & O_ACCMODE) != O_RDONLY; }

/* Returns 0 and the descriptor, or an errno. */
static int open_file(const char *path, int flags, int *fd)
{
    struct stat st;
    int err;

    do
        *fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0)
        return errno;
    if (fstat(*fd, &st) != 0)
        err = errno;
    else if (S_ISDIR(st.st_mode)) /* the system lets directories be opened for reading */
        err = EISDIR;
    else
        return 0;
    close(*fd);
    return err;
}

/* Reads until n bytes or the end of the file, and returns how many there were,
 * or -1 with errno. The file's position stays. */
static ssize_t read_at(int fd, uint8_t *buf, size_t n, off_t at)
{
    size_t got = 0;

    while (got < n) {
        ssize_t r = pread(fd, buf + got, n - got, at + (off_t)got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

/* Writes n bytes at the file's position. Returns 0 or an errno; *written is
 * right in both cases. */
static int write_all(int fd, const uint8_t *data, size_t n, size_t *written)
{
    *written = 0;
    while (*written < n) {
        ssize_t w = write(fd, data + *written, n - *written);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return errno;
        if (w == 0) /* would go on for ever */
            return EIO;
        *written += (size_t)w;
    }
    return 0;
}

/* Makes a file empty and sets its position to the start. Returns 0 or an errno. */
static int empty_file(int fd)
{
    while (ftruncate(fd, 0) != 0)
        if (errno != EINTR)
            return errno;
    return lseek(fd, 0, SEEK_SET) < 0 ? errno : 0;
}

/* ---- The methods ------------------------------------------------------- */

struct call {
    uint32_t instance;
    struct box *self;   /* locked; NULL where the method is not on an instance */
    struct box *source; /* what a Handle argument names, locked too; else NULL */
    struct args args;
    struct reply reply;
};

struct param {
    const char *name;
    const char *wanted;
    unsigned tags; /* a bit for each that is accepted */
};

struct method {
    uint32_t id;
    const char *name;
    int32_t (*run)(struct call *c);
    bool on_instance;
    size_t result;   /* capacity that is checked before run; read and readAt look for themselves */
    size_t required; /* how many of the parameters must be given */
    struct param params[MAX_ARGS];
};

#define TAG_BIT(tag) (1u << (tag))

static int32_t fail_argument(struct call *c, int number, const char *name, const char *problem)
{
    return fail(&c->reply, NYASH_E_INVALID_ARGS, "argument %d (%s): %s", number, name, problem);
}

static int32_t need_open(struct call *c, const struct box *b)
{
    if (b->fd >= 0)
        return NYASH_OK;
    if (b != c->self)
        return fail(&c->reply, NYASH_E_PLUGIN, "the FileBox to copy from has no open file");
    return fail(&c->reply, NYASH_E_PLUGIN, "no file is open: call open first");
}

static int32_t need_readable(struct call *c, const struct box *b)
{
    int32_t code = need_open(c, b);

    if (code != NYASH_OK || mode_reads(b->mode))
        return code;
    return fail(&c->reply, NYASH_E_PLUGIN,
                "opened with mode \"%s\", which does not read (use r, r+ or w+): %s",
                b->mode->name, b->path);
}

static int32_t need_writable(struct call *c, const struct box *b)
{
    int32_t code = need_open(c, b);

    if (code != NYASH_OK || mode_writes(b->mode))
        return code;
    return fail(&c->reply, NYASH_E_PLUGIN,
                "opened with mode \"%s\", which does not write (use w, a, r+ or w+): %s",
                b->mode->name, b->path);
}

static int64_t integer_arg(const struct call *c, size_t i)
{
    const struct value *v = &c->args.at[i];

    if (v->tag == NYASH_TAG_I32)
        return (int32_t)(uint32_t)get_le(v->data, 4);
    return (int64_t)get_le(v->data, 8);
}

/* Copies the first argument, a path. The caller frees it. */
static int32_t path_arg(struct call *c, char **path)
{
    const struct value *v = &c->args.at[0];

    *path = NULL;
    if (v->size != 0 && memchr(v->data, '\0', v->size) != NULL)
        return fail_argument(c, 1, "path", "a path cannot hold a NUL byte");
    *path = malloc(v->size + 1);
    if (*path == NULL)
        return fail_memory(&c->reply);
    memcpy(*path, v->data, v->size);
    (*path)[v->size] = '\0';
    return NYASH_OK;
}

static const struct mode *mode_arg(const struct call *c)
{
    const struct value *v = &c->args.at[1];

    for (size_t i = 0; i < COUNT(modes); i++)
        if (strlen(modes[i].name) == v->size && memcmp(modes[i].name, v->data, v->size) == 0)
            return &modes[i];
    return NULL;
}

static int32_t method_birth(struct call *c)
{
    struct box *b = box_new();
    uint32_t id;
    int32_t code;

    if (b == NULL)
        return fail_memory(&c->reply);
    code = table_add(b, &id, &c->reply);
    if (code != NYASH_OK)
        return code;
    put_le(c->reply.buf, id, 4);
    return reply_done(&c->reply, 4);
}

static int32_t fail_instance(struct reply *r, uint32_t id)
{
    return fail(r, NYASH_E_INVALID_HANDLE, "there is no " TYPE_NAME " with instance id %u",
                (unsigned)id);
}

static int32_t method_fini(struct call *c)
{
    struct box *b = table_remove(c->instance);

    if (b == NULL)
        return fail_instance(&c->reply, c->instance);
    box_release(b);
    return reply_void(&c->reply);
}

static int32_t method_open(struct call *c)
{
    struct box *b = c->self;
    const struct mode *mode = mode_arg(c);
    char *path;
    int32_t code;
    int fd, err;

    if (mode == NULL)
        return fail(&c->reply, NYASH_E_INVALID_ARGS,
                    "argument 2 (mode): wanted r, w, a, r+ or w+, got \"%.*s\"",
                    (int)min_size(c->args.at[1].size, 32), (const char *)c->args.at[1].data);
    if (b->fd >= 0)
        return fail(&c->reply, NYASH_E_PLUGIN, "already open, call close first: %s", b->path);
    code = path_arg(c, &path);
    if (code != NYASH_OK)
        return code;
    err = open_file(path, mode->flags, &fd);
    if (err != 0) {
        code = fail_system(&c->reply, err, path);
        free(path);
        return code;
    }
    b->fd = fd;
    b->mode = mode;
    b->path = path;
    return reply_void(&c->reply);
}

/* Answers with the bytes from offset on, at most limit of them. Their number
 * goes to *got if the answer is NYASH_OK. */
static int32_t reply_range(struct call *c, off_t offset, size_t limit, size_t *got)
{
    struct reply *r = &c->reply;
    const struct box *b = c->self;
    struct stat st;
    size_t expected = 0, room;
    ssize_t n;

    if (fstat(b->fd, &st) != 0)
        return fail_system(r, errno, b->path);
    if (st.st_size > offset)
        expected = st.st_size - offset < (off_t)limit ? (size_t)(st.st_size - offset) : limit;
    if (r->cap < MESSAGE_SIZE(expected))
        return reply_short(r, MESSAGE_SIZE(expected));

    room = min_size(limit, r->cap - MESSAGE_SIZE(0));
    n = read_at(b->fd, r->buf + MESSAGE_SIZE(0), room, offset);
    if (n < 0)
        return fail_system(r, errno, b->path);
    *got = (size_t)n;
    if (*got == room && room < limit) {
        /* Is there more than the system said, as in a file that has grown or
         * in /proc? Then nobody knows how much. */
        uint8_t next;
        n = read_at(b->fd, &next, 1, offset + (off_t)room);
        if (n < 0)
            return fail_system(r, errno, b->path);
        if (n > 0)
            return reply_short(r, MESSAGE_SIZE(limit));
    }
    put_entry(r, NYASH_TAG_BYTES, *got);
    return reply_done(r, MESSAGE_SIZE(*got));
}

static int32_t method_read(struct call *c)
{
    const struct box *b = c->self;
    uint8_t next;
    size_t got;
    ssize_t n;
    int32_t code = need_readable(c, b);

    if (code != NYASH_OK)
        return code;
    code = reply_range(c, 0, NYASH_TLV_MAX_PAYLOAD, &got);
    if (code != NYASH_OK || got < NYASH_TLV_MAX_PAYLOAD)
        return code;
    n = read_at(b->fd, &next, 1, NYASH_TLV_MAX_PAYLOAD);
    if (n < 0)
        return fail_system(&c->reply, errno, b->path);
    if (n == 0)
        return NYASH_OK;
    return fail(&c->reply, NYASH_E_PLUGIN,
                "longer than the %d bytes that read can return; use readAt(offset, length) "
                "to read it in parts: %s",
                NYASH_TLV_MAX_PAYLOAD, b->path);
}

static int32_t method_read_at(struct call *c)
{
    int64_t offset = integer_arg(c, 0), length = integer_arg(c, 1);
    size_t got;
    int32_t code;

    if (offset < 0)
        return fail_argument(c, 1, "offset", "wanted 0 or more, got a negative number");
    if (length < 0)
        return fail_argument(c, 2, "length", "wanted 0 or more, got a negative number");
    if (length > NYASH_TLV_MAX_PAYLOAD)
        return fail(&c->reply, NYASH_E_INVALID_ARGS,
                    "argument 2 (length): wanted at most %d, which is what one call can return, "
                    "got %lld",
                    NYASH_TLV_MAX_PAYLOAD, (long long)length);
    code = need_readable(c, c->self);
    if (code != NYASH_OK)
        return code;
    /* The system refuses a range whose end is no offset; it holds nothing. */
    if (length > INT64_MAX - offset)
        length = INT64_MAX - offset;
    return reply_range(c, offset, (size_t)length, &got);
}

/* Reads a file to its end into memory of the host's, which grows with it.
 * Returns 0 or an errno; *data is the caller's to free in both cases. */
static int read_whole(const NyashHostVtable *h, int fd, size_t room, uint8_t **data, size_t *got)
{
    *got = 0;
    *data = h->alloc(room);
    while (*data != NULL) {
        uint8_t *larger;
        ssize_t n = read_at(fd, *data + *got, room - *got, (off_t)*got);

        if (n < 0)
            return errno;
        *got += (size_t)n;
        if (*got < room)
            return 0;
        if (room > SIZE_MAX / 2)
            return EFBIG;
        larger = h->alloc(room * 2);
        if (larger != NULL)
            memcpy(larger, *data, *got);
        h->free(*data);
        *data = larger;
        room *= 2;
    }
    return ENOMEM;
}

static int32_t method_read_all(struct call *c)
{
    const struct box *b = c->self;
    const NyashHostVtable *h = host;
    struct stat st;
    uint8_t *data = NULL, *entry;
    size_t room = FIRST_BLOB, got;
    int err;
    int32_t code = need_readable(c, b);

    if (code != NYASH_OK)
        return code;
    if (fstat(b->fd, &st) != 0)
        return fail_system(&c->reply, errno, b->path);
    if (st.st_size > 0) {
        if ((uintmax_t)st.st_size >= SIZE_MAX)
            return fail_memory(&c->reply);
        room = (size_t)st.st_size + 1; /* one more, to see the end */
    }
    err = read_whole(h, b->fd, room, &data, &got);
    if (err != 0) {
        h->free(data);
        return err == ENOMEM ? fail_memory(&c->reply) : fail_system(&c->reply, err, b->path);
    }
    entry = put_entry(&c->reply, NYASH_TAG_BLOB, 16);
    put_le(entry, (uintptr_t)data, 8);
    put_le(entry + 8, got, 8);
    return reply_done(&c->reply, MESSAGE_SIZE(16));
}

/* Writes at the file's position and answers how many bytes there were. */
static int32_t write_bytes(struct call *c, const uint8_t *data, uint64_t size, uint8_t tag)
{
    const struct box *b = c->self;
    size_t written;
    int err;
    int32_t code = need_writable(c, b);

    if (code != NYASH_OK)
        return code;
    if (size > SIZE_MAX)
        return fail_argument(c, 1, "data", "longer than this machine's memory");
    err = write_all(b->fd, data, (size_t)size, &written);
    if (err != 0) {
        char text[128];
        return fail(&c->reply, NYASH_E_PLUGIN, "%s (%zu of %zu bytes were written): %s",
                    reason(err, text, sizeof text), written, (size_t)size, b->path);
    }
    return reply_number(&c->reply, tag, written, tag == NYASH_TAG_I32 ? 4 : 8);
}

static int32_t method_write(struct call *c)
{
    const struct value *data = &c->args.at[0];

    return write_bytes(c, data->data, data->size, NYASH_TAG_I32);
}

static int32_t method_write_all(struct call *c)
{
    const uint8_t *blob = c->args.at[0].data;

    /* The system looks at the memory: an address that is none is EFAULT. */
    return write_bytes(c, (const uint8_t *)(uintptr_t)get_le(blob, 8), get_le(blob + 8, 8),
                       NYASH_TAG_I64);
}

static int32_t method_close(struct call *c)
{
    struct box *b = c->self;
    int err;
    int32_t code;

    if (b->fd < 0)
        return reply_void(&c->reply);
    err = box_close(b);
    code = err == 0 ? reply_void(&c->reply) : fail_system(&c->reply, err, b->path);
    box_forget_path(b);
    return code;
}

static int32_t reply_exists(struct call *c, const char *path)
{
    struct stat st;
    bool there = stat(path, &st) == 0;

    if (!there && errno != ENOENT && errno != ENOTDIR)
        return fail_system(&c->reply, errno, path);
    return reply_number(&c->reply, NYASH_TAG_BOOL, there, 1);
}

static int32_t method_exists(struct call *c)
{
    char *path;
    int32_t code;

    if (c->args.count == 0) {
        code = need_open(c, c->self);
        return code == NYASH_OK ? reply_exists(c, c->self->path) : code;
    }
    code = path_arg(c, &path);
    if (code == NYASH_OK)
        code = reply_exists(c, path);
    free(path);
    return code;
}

static int32_t method_size(struct call *c)
{
    struct stat st;
    int32_t code = need_open(c, c->self);

    if (code != NYASH_OK)
        return code;
    if (fstat(c->self->fd, &st) != 0)
        return fail_system(&c->reply, errno, c->self->path);
    return reply_number(&c->reply, NYASH_TAG_I64, (uint64_t)st.st_size, 8);
}

/* The status of a file that copyFrom can work on. */
static int32_t regular_status(struct call *c, const struct box *b, struct stat *st)
{
    if (fstat(b->fd, st) != 0)
        return fail_system(&c->reply, errno, b->path);
    if (!S_ISREG(st->st_mode))
        return fail(&c->reply, NYASH_E_PLUGIN, "not a regular file: %s", b->path);
    return NYASH_OK;
}

/* Copies with the block given. The first block is read before the old content
 * goes, so that a source that cannot be read costs nothing. */
static int32_t copy_content(struct call *c, uint8_t *block)
{
    const struct box *from = c->source, *to = c->self;
    off_t total = 0;

    for (;;) {
        size_t written;
        ssize_t n = read_at(from->fd, block, COPY_BLOCK, total);
        int err = 0;

        if (n < 0)
            return fail_system(&c->reply, errno, from->path);
        if (total == 0)
            err = empty_file(to->fd);
        if (err == 0)
            err = write_all(to->fd, block, (size_t)n, &written);
        if (err != 0)
            return fail_system(&c->reply, err, to->path);
        total += n;
        if (n < COPY_BLOCK)
            return reply_number(&c->reply, NYASH_TAG_I64, (uint64_t)total, 8);
    }
}

static int32_t method_copy_from(struct call *c)
{
    struct stat from, to;
    uint8_t *block;
    int32_t code;

    if ((code = need_writable(c, c->self)) != NYASH_OK ||
        (code = need_readable(c, c->source)) != NYASH_OK ||
        (code = regular_status(c, c->source, &from)) != NYASH_OK ||
        (code = regular_status(c, c->self, &to)) != NYASH_OK)
        return code;
    /* The same box, or another one with the same file. */
    if (from.st_dev == to.st_dev && from.st_ino == to.st_ino)
        return reply_number(&c->reply, NYASH_TAG_I64, (uint64_t)from.st_size, 8);
    block = malloc(COPY_BLOCK);
    if (block == NULL)
        return fail_memory(&c->reply);
    code = copy_content(c, block);
    free(block);
    return code;
}

/* Opens the file of a box once more for its clone, without what the mode does
 * to a file that is opened for the first time. */
static int32_t reopen(struct call *c, struct box *clone)
{
    const struct box *b = c->self;
    struct stat was, is;
    int err;

    clone->path = strdup(b->path);
    if (clone->path == NULL)
        return fail_memory(&c->reply);
    err = open_file(b->path, b->mode->flags & ~(O_CREAT | O_TRUNC), &clone->fd);
    if (err != 0) {
        clone->fd = -1;
        return fail_system(&c->reply, err, b->path);
    }
    clone->mode = b->mode;
    if (fstat(b->fd, &was) != 0 || fstat(clone->fd, &is) != 0)
        return fail_system(&c->reply, errno, b->path);
    if (was.st_dev != is.st_dev || was.st_ino != is.st_ino)
        return fail(&c->reply, NYASH_E_PLUGIN,
                    "another file has taken the place of the one that is open: %s", b->path);
    return NYASH_OK;
}

static int32_t method_clone_self(struct call *c)
{
    struct box *clone = box_new();
    uint32_t id;
    int32_t code;

    if (clone == NULL)
        return fail_memory(&c->reply);
    code = c->self->fd < 0 ? NYASH_OK : reopen(c, clone);
    if (code != NYASH_OK) {
        box_release(clone);
        return code;
    }
    code = table_add(clone, &id, &c->reply);
    if (code != NYASH_OK)
        return code;
    return reply_number(&c->reply, NYASH_TAG_HANDLE, TYPE_ID | (uint64_t)id << 32, 8);
}

#define PATH {"path", "string", TAG_BIT(NYASH_TAG_STRING)}
#define MODE {"mode", "string", TAG_BIT(NYASH_TAG_STRING)}
#define DATA {"data", "bytes or string", TAG_BIT(NYASH_TAG_BYTES) | TAG_BIT(NYASH_TAG_STRING)}
#define BLOB {"data", "blob", TAG_BIT(NYASH_TAG_BLOB)}
#define SOURCE {"source", "handle", TAG_BIT(NYASH_TAG_HANDLE)}
#define INTEGER(name) {name, "i64 or i32", TAG_BIT(NYASH_TAG_I64) | TAG_BIT(NYASH_TAG_I32)}

static const struct method methods[] = {
    {NYASH_METHOD_BIRTH, "birth", method_birth, false, 4, 0, {{0}}},
    {1, "open", method_open, true, 0, 2, {PATH, MODE}},
    {2, "read", method_read, true, 0, 0, {{0}}},
    {3, "write", method_write, true, MESSAGE_SIZE(4), 1, {DATA}},
    {4, "close", method_close, true, 0, 0, {{0}}},
    {5, "exists", method_exists, true, MESSAGE_SIZE(1), 0, {PATH}},
    {6, "size", method_size, true, MESSAGE_SIZE(8), 0, {{0}}},
    {7, "copyFrom", method_copy_from, true, MESSAGE_SIZE(8), 1, {SOURCE}},
    {8, "cloneSelf", method_clone_self, true, MESSAGE_SIZE(8), 0, {{0}}},
    {9, "readAt", method_read_at, true, 0, 2, {INTEGER("offset"), INTEGER("length")}},
    {10, "readAll", method_read_all, true, MESSAGE_SIZE(16), 0, {{0}}},
    {11, "writeAll", method_write_all, true, MESSAGE_SIZE(8), 1, {BLOB}},
    {NYASH_METHOD_FINI, "fini", method_fini, false, 0, 0, {{0}}},
};

static const struct method *find_method(uint32_t id)
{
    for (size_t i = 0; i < COUNT(methods); i++)
        if (methods[i].id == id)
            return &methods[i];
    return NULL;
}

static int32_t check_args(const struct method *m, const struct args *args, struct reply *r)
{
    size_t known = 0;

    while (known < MAX_ARGS && m->params[known].name != NULL)
        known++;
    if (args->count > known)
        return fail(r, NYASH_E_INVALID_ARGS, "%s takes %s%zu argument%s, got %zu", m->name,
                    m->required < known ? "at most " : "", known, known == 1 ? "" : "s",
                    args->count);
    for (size_t i = 0; i < known; i++) {
        const struct param *p = &m->params[i];
        if (i >= args->count) {
            if (i >= m->required)
                return NYASH_OK;
            return fail(r, NYASH_E_INVALID_ARGS, "argument %zu (%s) is missing: wanted %s", i + 1,
                        p->name, p->wanted);
        }
        if ((p->tags & TAG_BIT(args->at[i].tag)) == 0)
            return fail(r, NYASH_E_INVALID_ARGS, "argument %zu (%s): wanted %s, got %s", i + 1,
                        p->name, p->wanted, tags[args->at[i].tag].name);
    }
    return NYASH_OK;
}

/* Finds the box that a Handle argument names, for the methods that take one. */
static int32_t find_source(struct call *c)
{
    const uint8_t *handle = c->args.at[0].data;
    uint32_t type, id;

    if (c->args.count == 0 || c->args.at[0].tag != NYASH_TAG_HANDLE)
        return NYASH_OK;
    type = (uint32_t)get_le(handle, 4);
    id = (uint32_t)get_le(handle + 4, 4);
    if (type != TYPE_ID)
        return fail(&c->reply, NYASH_E_INVALID_ARGS,
                    "argument 1 (source): wanted a " TYPE_NAME " (type %u), got a box of type %u",
                    (unsigned)TYPE_ID, (unsigned)type);
    c->source = table_find(id);
    return c->source != NULL ? NYASH_OK : fail_instance(&c->reply, id);
}

static int32_t run_on_instance(const struct method *m, struct call *c)
{
    int32_t code;

    c->self = table_find(c->instance);
    if (c->self == NULL)
        return fail_instance(&c->reply, c->instance);
    code = find_source(c);
    if (code == NYASH_OK && c->reply.cap < m->result)
        code = reply_short(&c->reply, m->result);
    if (code == NYASH_OK) {
        lock_both(c->self, c->source);
        code = m->run(c);
        unlock_both(c->self, c->source);
    }
    box_release(c->source);
    box_release(c->self);
    return code;
}

/* ---- The functions that the host calls --------------------------------- */

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info)
{
    static NyashMethodInfo description[COUNT(methods)];

    if (vtable == NULL || info == NULL)
        return NYASH_E_INVALID_ARGS;
    pthread_mutex_lock(&table.lock);
    for (size_t i = 0; i < COUNT(methods); i++)
        description[i] = (NyashMethodInfo){methods[i].id, methods[i].name, 0};
    table.ready = true;
    pthread_mutex_unlock(&table.lock);
    host = vtable;

    info->type_id = TYPE_ID;
    info->type_name = TYPE_NAME;
    info->method_count = COUNT(description);
    info->methods = description;
    host_log(NYASH_LOG_DEBUG, TYPE_NAME " is ready");
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id,
                            const uint8_t *args, size_t args_len, uint8_t *result,
                            size_t *result_len)
{
    const struct method *m = find_method(method_id);
    struct call c = {.instance = instance_id, .reply = {.buf = result, .len = result_len}};
    int32_t code;

    if (result != NULL && result_len != NULL)
        c.reply.cap = *result_len;
    if (type_id != TYPE_ID)
        return fail(&c.reply, NYASH_E_INVALID_TYPE, "this library has type %u (" TYPE_NAME
                    "), not %u", (unsigned)TYPE_ID, (unsigned)type_id);
    if (m == NULL)
        return fail(&c.reply, NYASH_E_INVALID_METHOD, TYPE_NAME " has no method with id %u",
                    (unsigned)method_id);
    /* Hosts in the wild finalise without a message. */
    if (args_len != 0 || method_id != NYASH_METHOD_FINI) {
        code = decode(args, args_len, &c.args, &c.reply);
        if (code == NYASH_OK)
            code = check_args(m, &c.args, &c.reply);
        if (code != NYASH_OK)
            return code;
    }
    if (m->on_instance)
        return run_on_instance(m, &c);
    if (c.reply.cap < m->result)
        return reply_short(&c.reply, m->result);
    return m->run(&c);
}

NYASH_DEFINE_INVOKE_BATCH

void nyash_plugin_shutdown(void) { table_clear(); }
