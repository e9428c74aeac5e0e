/*
 * FileBox: files for programs that load plugins.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * Locking: table_lock guards the table of instances and their reference
 * counts; each instance has a lock of its own for everything else in it. A
 * call holds a reference, so an instance that another thread finalises
 * meanwhile is freed when the call has ended. Two instances are locked in the
 * order of their ids; table_lock comes last and nothing is locked under it.
 *
 * No call changes anything before it knows that its result fits: a short
 * buffer has no side effect. Positions: read and readAt leave the position
 * alone, so only write moves it.
 */
#if defined(_WIN32)
#error "FileBox needs POSIX files and threads; it does not build for Windows."
#endif

#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nyash_plugin.h"

enum { TYPE_ID = 6 };

enum {
    METHOD_OPEN = 1,
    METHOD_READ = 2,
    METHOD_WRITE = 3,
    METHOD_CLOSE = 4,
    METHOD_EXISTS = 5,
    METHOD_SIZE = 6,
    METHOD_COPY_FROM = 7,
    METHOD_CLONE_SELF = 8,
    METHOD_READ_AT = 9
};

/* ---- instances ---------------------------------------------------------- */

typedef struct File {
    uint32_t id;
    unsigned refs;      /* guarded by table_lock; the table's own is one */
    struct File *next;  /* in its bucket; guarded by table_lock */

    pthread_mutex_t lock; /* guards the rest */
    int fd;               /* -1 while no file is open */
    int flags;            /* that fd was opened with */
    char *path;           /* NULL while no file is open */
} File;

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static File **buckets;       /* a power of two of them; NULL before init */
static size_t bucket_count;
static size_t file_count;
static uint32_t last_id;

static File **bucket_of(uint32_t id) { return &buckets[id & (bucket_count - 1)]; }

static File *find_locked(uint32_t id) {
    if (buckets == NULL) return NULL;
    File *f = *bucket_of(id);
    while (f != NULL && f->id != id) f = f->next;
    return f;
}

static bool grow_locked(void) {
    size_t count = bucket_count * 2;
    File **larger = calloc(count, sizeof *larger);
    if (larger == NULL) return false;
    for (size_t i = 0; i < bucket_count; i++) {
        for (File *f = buckets[i], *next; f != NULL; f = next) {
            next = f->next;
            f->next = larger[f->id & (count - 1)];
            larger[f->id & (count - 1)] = f;
        }
    }
    free(buckets);
    buckets = larger;
    bucket_count = count;
    return true;
}

/* Enters a new instance with a reference for the caller beside the table's.
 * Returns NULL when memory is short or the plugin is shut down. Ids go up, so
 * that one which was finalised is not soon another file. */
static File *new_file(void) {
    File *f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    if (pthread_mutex_init(&f->lock, NULL) != 0) {
        free(f);
        return NULL;
    }
    f->fd = -1;
    f->refs = 2;

    pthread_mutex_lock(&table_lock);
    bool room = buckets != NULL && (file_count < bucket_count || grow_locked());
    if (room) {
        do {
            last_id++;
        } while (last_id == 0 || find_locked(last_id) != NULL);
        f->id = last_id;
        f->next = *bucket_of(f->id);
        *bucket_of(f->id) = f;
        file_count++;
    }
    pthread_mutex_unlock(&table_lock);
    if (room) return f;
    pthread_mutex_destroy(&f->lock);
    free(f);
    return NULL;
}

static File *get_file(uint32_t id) {
    pthread_mutex_lock(&table_lock);
    File *f = find_locked(id);
    if (f != NULL) f->refs++;
    pthread_mutex_unlock(&table_lock);
    return f;
}

static void put_file(File *f) {
    pthread_mutex_lock(&table_lock);
    bool last = --f->refs == 0;
    pthread_mutex_unlock(&table_lock);
    if (!last) return;
    if (f->fd >= 0) close(f->fd);
    free(f->path);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* Takes an instance off the table; its memory goes with the last reference. */
static bool remove_file(uint32_t id) {
    File *f = NULL;
    pthread_mutex_lock(&table_lock);
    if (buckets != NULL) {
        File **link = bucket_of(id);
        while (*link != NULL && (*link)->id != id) link = &(*link)->next;
        f = *link;
        if (f != NULL) {
            *link = f->next;
            file_count--;
        }
    }
    pthread_mutex_unlock(&table_lock);
    if (f == NULL) return false;
    put_file(f);
    return true;
}

/* ---- answers ------------------------------------------------------------ */

/* Where an answer goes: the host's buffer, and how much it holds. */
typedef struct Answer {
    uint8_t *data;
    size_t capacity;
    size_t *length;
} Answer;

static void put_u16(uint8_t *p, unsigned v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put_u32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static void put_u64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

/* What a message with one entry of that payload takes. */
static size_t message_size(size_t payload) {
    return NYASH_TLV_HEADER_SIZE + NYASH_TLV_ENTRY_SIZE + payload;
}

/* Tells the host how much is needed if a result of that payload does not fit.
 * To be asked before a call does anything. */
static bool fits(Answer *a, size_t payload, int32_t *code) {
    if (a->capacity >= message_size(payload)) return true;
    *a->length = message_size(payload);
    *code = NYASH_E_SHORT_BUFFER;
    return false;
}

/* Starts a message of one entry; returns where its payload goes. */
static uint8_t *begin(Answer *a, int tag, size_t payload) {
    put_u16(a->data, NYASH_TLV_VERSION);
    put_u16(a->data + 2, 1);
    a->data[4] = (uint8_t)tag;
    a->data[5] = 0;
    put_u16(a->data + 6, (unsigned)payload);
    *a->length = message_size(payload);
    return a->data + message_size(0);
}

static int32_t answer_void(Answer *a) {
    begin(a, NYASH_TAG_VOID, 0);
    return NYASH_OK;
}

static int32_t answer_bool(Answer *a, bool v) {
    *begin(a, NYASH_TAG_BOOL, 1) = v ? 1 : 0;
    return NYASH_OK;
}

static int32_t answer_i32(Answer *a, int32_t v) {
    put_u32(begin(a, NYASH_TAG_I32, 4), (uint32_t)v);
    return NYASH_OK;
}

static int32_t answer_i64(Answer *a, int64_t v) {
    put_u64(begin(a, NYASH_TAG_I64, 8), (uint64_t)v);
    return NYASH_OK;
}

/* The length of the UTF-8 sequence at p, or 0 if there is none. */
static size_t utf8_length(const uint8_t *p, size_t left) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80                  ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > left) return 0;
    if (n == 1) return 1;
    uint32_t rune = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        rune = rune << 6 | (p[i] & 0x3f);
    }
    bool surrogate = rune >= 0xd800 && rune <= 0xdfff;
    return rune < least[n] || rune > 0x10ffff || surrogate ? 0 : n;
}

/* Copies text as UTF-8 of at most room bytes, a ? for each byte that is none. */
static size_t copy_utf8(uint8_t *to, size_t room, const char *text) {
    const uint8_t *p = (const uint8_t *)text;
    size_t left = strlen(text), written = 0;
    while (left > 0) {
        size_t n = utf8_length(p, left), take = n == 0 ? 1 : n;
        if (written + take > room) break;
        if (n == 0)
            to[written] = '?';
        else
            memcpy(to + written, p, n);
        written += take;
        p += take;
        left -= take;
    }
    return written;
}

/* Answers with an error code and its reason, as far as the buffer has room. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static int32_t fail(Answer *a, int32_t code, const char *format, ...) {
    enum { LONGEST = 4096 + 256 }; /* a path and some words */
    if (a->capacity <= message_size(0)) return code;
    char *text = malloc(LONGEST);
    if (text == NULL) return code;
    va_list args;
    va_start(args, format);
    vsnprintf(text, LONGEST, format, args);
    va_end(args);
    size_t room = a->capacity - message_size(0);
    if (room > LONGEST) room = LONGEST;
    size_t n = copy_utf8(a->data + message_size(0), room, text);
    begin(a, NYASH_TAG_STRING, n);
    free(text);
    return code;
}

/* The system's reason for an errno, and the path that it is about. */
static int32_t fail_errno(Answer *a, int error, const char *doing, const char *path) {
    char reason[128];
    if (strerror_r(error, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", error);
    if (reason[0] >= 'A' && reason[0] <= 'Z' && !(reason[1] >= 'A' && reason[1] <= 'Z'))
        reason[0] = (char)(reason[0] - 'A' + 'a');
    return fail(a, NYASH_E_PLUGIN, "%s%s: %s", doing, reason, path);
}

/* ---- arguments ---------------------------------------------------------- */

enum { MAX_ARGS = 2 };

typedef struct Arg {
    int tag;
    size_t size;
    const uint8_t *payload;
} Arg;

static unsigned get_u16(const uint8_t *p) { return p[0] | (unsigned)p[1] << 8; }

static uint32_t get_u32(const uint8_t *p) {
    return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static uint64_t get_u64(const uint8_t *p) {
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

/* The size that a tag's payload must have; -1 for any, -2 for no such tag. */
static int tag_size(int tag) {
    static const int sizes[] = {-2, 1, 4, 8, 4, 8, -1, -1, 8, 0};
    return tag >= 0 && tag < (int)(sizeof sizes / sizeof *sizes) ? sizes[tag] : -2;
}

static bool is_utf8(const uint8_t *p, size_t left) {
    while (left > 0) {
        size_t n = utf8_length(p, left);
        if (n == 0) return false;
        p += n;
        left -= n;
    }
    return true;
}

/* Reads exactly count arguments. Nothing of the message is trusted. */
static bool read_args(const uint8_t *data, size_t size, unsigned count, Arg *args,
                      const char **problem) {
    *problem = "the arguments are no BID-1 TLV";
    if (data == NULL || size < NYASH_TLV_HEADER_SIZE) return false;
    if (get_u16(data) != NYASH_TLV_VERSION) return false;
    if (get_u16(data + 2) != count) {
        *problem = "wrong number of arguments";
        return false;
    }
    size_t at = NYASH_TLV_HEADER_SIZE;
    for (unsigned i = 0; i < count; i++) {
        if (size - at < NYASH_TLV_ENTRY_SIZE) return false;
        Arg arg = {data[at], get_u16(data + at + 2), data + at + NYASH_TLV_ENTRY_SIZE};
        int want = tag_size(arg.tag);
        if (data[at + 1] != 0 || want == -2) return false;
        at += NYASH_TLV_ENTRY_SIZE;
        if (arg.size > size - at || (want >= 0 && (size_t)want != arg.size)) return false;
        if (arg.tag == NYASH_TAG_STRING && !is_utf8(arg.payload, arg.size)) return false;
        at += arg.size;
        args[i] = arg;
    }
    return at == size;
}

/* A copy of a path argument, to be freed; NULL with the answer given. */
static char *path_arg(Answer *a, const Arg *arg, int32_t *code) {
    if (arg->tag != NYASH_TAG_STRING) {
        *code = fail(a, NYASH_E_INVALID_ARGS, "path must be a string");
        return NULL;
    }
    if (arg->size == 0 || memchr(arg->payload, 0, arg->size) != NULL) {
        *code = fail(a, NYASH_E_INVALID_ARGS, "path is empty or contains a NUL");
        return NULL;
    }
    char *path = malloc(arg->size + 1);
    if (path == NULL) {
        *code = NYASH_E_OUT_OF_MEMORY;
        return NULL;
    }
    memcpy(path, arg->payload, arg->size);
    path[arg->size] = '\0';
    return path;
}

static bool int_arg(const Arg *arg, int64_t *v) {
    if (arg->tag == NYASH_TAG_I32)
        *v = (int32_t)get_u32(arg->payload);
    else if (arg->tag == NYASH_TAG_I64)
        *v = (int64_t)get_u64(arg->payload);
    else
        return false;
    return true;
}

/* ---- files -------------------------------------------------------------- */

static int open_retry(const char *path, int flags) {
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return fd;
    /* The system lets a directory be opened for reading and refuses the read;
     * the place to say so is here. */
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        errno = EISDIR;
        return -1;
    }
    return fd;
}

/* Writes all of it at the position. Returns what was written; errno is set if
 * that is less. */
static size_t write_all(int fd, const uint8_t *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        done += (size_t)n;
    }
    return done;
}

/* Reads up to size bytes from an offset on, less only at the end of the file.
 * Returns -1 with errno set. */
static ssize_t read_from(int fd, uint8_t *data, size_t size, off_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, data + done, size - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static bool write_at(int fd, const uint8_t *data, size_t size, off_t offset) {
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        size -= (size_t)n;
        offset += n;
    }
    return true;
}

/* ---- methods ------------------------------------------------------------ */

/* A method gets an instance that is locked, and its arguments, read. */
typedef int32_t Method(File *f, const Arg *args, Answer *a);

static int32_t not_open(Answer *a) {
    return fail(a, NYASH_E_PLUGIN, "no file is open; call open first");
}

static bool mode_flags(const Arg *arg, int *flags) {
    static const struct {
        const char *mode;
        int flags;
    } modes[] = {
        {"r", O_RDONLY},
        {"w", O_WRONLY | O_CREAT | O_TRUNC},
        {"a", O_WRONLY | O_CREAT | O_APPEND},
        {"r+", O_RDWR},
        {"w+", O_RDWR | O_CREAT | O_TRUNC},
    };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        size_t n = strlen(modes[i].mode);
        if (arg->tag == NYASH_TAG_STRING && arg->size == n &&
            memcmp(arg->payload, modes[i].mode, n) == 0) {
            *flags = modes[i].flags;
            return true;
        }
    }
    return false;
}

/* open(path, mode): a file that was open is closed once the new one is. */
static int32_t method_open(File *f, const Arg *args, Answer *a) {
    int flags;
    int32_t code;
    if (!fits(a, 0, &code)) return code;
    if (!mode_flags(&args[1], &flags))
        return fail(a, NYASH_E_INVALID_ARGS, "mode must be one of r, w, a, r+, w+");
    char *path = path_arg(a, &args[0], &code);
    if (path == NULL) return code;
    int fd = open_retry(path, flags);
    if (fd < 0) {
        code = fail_errno(a, errno, "", path);
        free(path);
        return code;
    }
    if (f->fd >= 0) close(f->fd);
    free(f->path);
    f->fd = fd;
    f->flags = flags;
    f->path = path;
    return answer_void(a);
}

static int32_t answer_bytes_at(File *f, int64_t offset, size_t most, bool whole, Answer *a) {
    uint8_t *data = malloc(most + 1);
    if (data == NULL) return NYASH_E_OUT_OF_MEMORY;
    /* One byte more than may be answered tells a longer file. */
    ssize_t n = read_from(f->fd, data, whole ? most + 1 : most, (off_t)offset);
    int32_t code;
    if (n < 0) {
        code = fail_errno(a, errno, "", f->path);
    } else if ((size_t)n > most) {
        code = fail(a, NYASH_E_PLUGIN,
                    "the file is longer than the %d bytes that one result holds; read it in "
                    "parts with readAt: %s",
                    NYASH_TLV_MAX_PAYLOAD, f->path);
    } else if (fits(a, (size_t)n, &code)) {
        memcpy(begin(a, NYASH_TAG_BYTES, (size_t)n), data, (size_t)n);
        code = NYASH_OK;
    }
    free(data);
    return code;
}

/* read(): the whole file. */
static int32_t method_read(File *f, const Arg *args, Answer *a) {
    (void)args;
    if (f->fd < 0) return not_open(a);
    return answer_bytes_at(f, 0, NYASH_TLV_MAX_PAYLOAD, true, a);
}

/* readAt(offset, length): shorter only at the end of the file. */
static int32_t method_read_at(File *f, const Arg *args, Answer *a) {
    int64_t offset, length;
    if (!int_arg(&args[0], &offset) || offset < 0)
        return fail(a, NYASH_E_INVALID_ARGS, "offset must be an integer that is not negative");
    if (!int_arg(&args[1], &length) || length < 0 || length > NYASH_TLV_MAX_PAYLOAD)
        return fail(a, NYASH_E_INVALID_ARGS, "length must be an integer from 0 to %d",
                    NYASH_TLV_MAX_PAYLOAD);
    if (f->fd < 0) return not_open(a);
    return answer_bytes_at(f, offset, (size_t)length, false, a);
}

/* write(data): at the position. Answers how many bytes, which are all. */
static int32_t method_write(File *f, const Arg *args, Answer *a) {
    int32_t code;
    if (args[0].tag != NYASH_TAG_BYTES && args[0].tag != NYASH_TAG_STRING)
        return fail(a, NYASH_E_INVALID_ARGS, "data must be bytes or a string");
    if (f->fd < 0) return not_open(a);
    if (!fits(a, 4, &code)) return code;
    size_t n = write_all(f->fd, args[0].payload, args[0].size);
    if (n < args[0].size) {
        char doing[64];
        int error = errno;
        snprintf(doing, sizeof doing, "wrote %zu of %zu bytes: ", n, args[0].size);
        return fail_errno(a, error, n > 0 ? doing : "", f->path);
    }
    return answer_i32(a, (int32_t)n);
}

static int32_t method_close(File *f, const Arg *args, Answer *a) {
    (void)args;
    int32_t code;
    if (f->fd < 0) return not_open(a);
    if (!fits(a, 0, &code)) return code;
    /* The descriptor is gone even if close fails or was interrupted. */
    int failed = close(f->fd) != 0 && errno != EINTR ? errno : 0;
    char *path = f->path;
    f->fd = -1;
    f->path = NULL;
    code = failed != 0 ? fail_errno(a, failed, "", path) : answer_void(a);
    free(path);
    return code;
}

static int32_t method_exists(File *f, const Arg *args, Answer *a) {
    (void)f;
    int32_t code;
    if (!fits(a, 1, &code)) return code;
    char *path = path_arg(a, &args[0], &code);
    if (path == NULL) return code;
    struct stat st;
    if (stat(path, &st) == 0)
        code = answer_bool(a, true);
    else if (errno == ENOENT || errno == ENOTDIR)
        code = answer_bool(a, false);
    else
        code = fail_errno(a, errno, "", path);
    free(path);
    return code;
}

static int32_t method_size(File *f, const Arg *args, Answer *a) {
    (void)args;
    int32_t code;
    struct stat st;
    if (f->fd < 0) return not_open(a);
    if (!fits(a, 8, &code)) return code;
    if (fstat(f->fd, &st) != 0) return fail_errno(a, errno, "", f->path);
    return answer_i64(a, (int64_t)st.st_size);
}

/* Copies the whole of one open file over another. Both are locked. */
static int32_t copy_files(File *to, File *from, Answer *a) {
    enum { CHUNK = 1 << 16 };
    uint8_t *data = malloc(CHUNK);
    if (data == NULL) return NYASH_E_OUT_OF_MEMORY;
    /* O_APPEND would send every write to the end. */
    int append = fcntl(to->fd, F_GETFL) & O_APPEND;
    if (append) fcntl(to->fd, F_SETFL, fcntl(to->fd, F_GETFL) & ~O_APPEND);
    off_t done = 0;
    ssize_t n;
    int32_t code = NYASH_OK;
    while ((n = read_from(from->fd, data, CHUNK, done)) > 0) {
        if (!write_at(to->fd, data, (size_t)n, done)) {
            code = fail_errno(a, errno, "", to->path);
            break;
        }
        done += n;
    }
    if (n < 0) code = fail_errno(a, errno, "", from->path);
    /* Cut last: the two may be the same file. */
    if (code == NYASH_OK && (ftruncate(to->fd, done) != 0 || lseek(to->fd, done, SEEK_SET) < 0))
        code = fail_errno(a, errno, "", to->path);
    if (append) fcntl(to->fd, F_SETFL, fcntl(to->fd, F_GETFL) | O_APPEND);
    free(data);
    return code == NYASH_OK ? answer_i64(a, (int64_t)done) : code;
}

/* copyFrom(other): makes this file's content the other's. The two instances
 * are locked here, in order, and not by invoke. */
static int32_t method_copy_from(File *to, const Arg *args, Answer *a) {
    int32_t code;
    if (args[0].tag != NYASH_TAG_HANDLE)
        return fail(a, NYASH_E_INVALID_ARGS, "source must be a FileBox");
    if (get_u32(args[0].payload) != TYPE_ID)
        return fail(a, NYASH_E_INVALID_ARGS, "source must be a FileBox (type %d), and is of type %u",
                    TYPE_ID, (unsigned)get_u32(args[0].payload));
    if (!fits(a, 8, &code)) return code;
    File *from = get_file(get_u32(args[0].payload + 4));
    if (from == NULL) return fail(a, NYASH_E_INVALID_HANDLE, "source is no live FileBox");
    File *first = to->id < from->id ? to : from, *second = first == to ? from : to;
    pthread_mutex_lock(&first->lock);
    if (second != first) pthread_mutex_lock(&second->lock);
    if (to->fd < 0)
        code = not_open(a);
    else if (from->fd < 0)
        code = fail(a, NYASH_E_PLUGIN, "no file is open in the source; call its open first");
    else
        code = copy_files(to, from, a);
    if (second != first) pthread_mutex_unlock(&second->lock);
    pthread_mutex_unlock(&first->lock);
    put_file(from);
    return code;
}

/* cloneSelf(): a new FileBox with the same file, opened again, at the start. */
static int32_t method_clone_self(File *f, const Arg *args, Answer *a) {
    (void)args;
    int32_t code;
    if (!fits(a, 8, &code)) return code;
    File *clone = new_file();
    if (clone == NULL) return NYASH_E_OUT_OF_MEMORY;
    /* Nobody has been told its id, but ids can be guessed. */
    pthread_mutex_lock(&clone->lock);
    code = NYASH_OK;
    if (f->fd >= 0) {
        clone->path = strdup(f->path);
        clone->flags = f->flags & ~(O_CREAT | O_TRUNC);
        if (clone->path == NULL)
            code = NYASH_E_OUT_OF_MEMORY;
        else if ((clone->fd = open_retry(clone->path, clone->flags)) < 0)
            code = fail_errno(a, errno, "", clone->path);
    }
    pthread_mutex_unlock(&clone->lock);
    if (code != NYASH_OK) {
        remove_file(clone->id);
    } else {
        uint8_t *handle = begin(a, NYASH_TAG_HANDLE, 8);
        put_u32(handle, TYPE_ID);
        put_u32(handle + 4, clone->id);
    }
    put_file(clone);
    return code;
}

/* ---- the plugin --------------------------------------------------------- */

static const struct {
    uint32_t id;
    const char *name;
    unsigned args;
    Method *run;
    bool locks; /* the method locks its instances itself */
} methods[] = {
    {METHOD_OPEN, "open", 2, method_open, false},
    {METHOD_READ, "read", 0, method_read, false},
    {METHOD_WRITE, "write", 1, method_write, false},
    {METHOD_CLOSE, "close", 0, method_close, false},
    {METHOD_EXISTS, "exists", 1, method_exists, false},
    {METHOD_SIZE, "size", 0, method_size, false},
    {METHOD_COPY_FROM, "copyFrom", 1, method_copy_from, true},
    {METHOD_CLONE_SELF, "cloneSelf", 0, method_clone_self, false},
    {METHOD_READ_AT, "readAt", 2, method_read_at, false},
};

enum { METHODS = sizeof methods / sizeof *methods };

/* birth and fini stand before the others. */
static NyashMethodInfo method_infos[METHODS + 2];

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    if (host == NULL || info == NULL) return NYASH_E_INVALID_ARGS;
    pthread_mutex_lock(&table_lock);
    if (buckets == NULL) {
        enum { FIRST_BUCKETS = 64 };
        buckets = calloc(FIRST_BUCKETS, sizeof *buckets);
        bucket_count = buckets != NULL ? FIRST_BUCKETS : 0;
    }
    bool ready = buckets != NULL;
    pthread_mutex_unlock(&table_lock);
    if (!ready) return NYASH_E_OUT_OF_MEMORY;

    method_infos[0] = (NyashMethodInfo){NYASH_METHOD_BIRTH, "birth", 0};
    method_infos[1] = (NyashMethodInfo){NYASH_METHOD_FINI, "fini", 0};
    for (size_t i = 0; i < METHODS; i++)
        method_infos[i + 2] = (NyashMethodInfo){methods[i].id, methods[i].name, 0};
    info->type_id = TYPE_ID;
    info->type_name = "FileBox";
    info->method_count = METHODS + 2;
    info->methods = method_infos;
    host->log(NYASH_LOG_DEBUG, "FileBox is ready");
    return NYASH_OK;
}

static int32_t birth(Answer *a) {
    if (a->capacity < 4) {
        *a->length = 4;
        return NYASH_E_SHORT_BUFFER;
    }
    File *f = new_file();
    if (f == NULL) return NYASH_E_OUT_OF_MEMORY;
    put_u32(a->data, f->id);
    *a->length = 4;
    put_file(f);
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id,
                            const uint8_t *args, size_t args_len, uint8_t *result,
                            size_t *result_len) {
    if (result_len == NULL) return NYASH_E_INVALID_ARGS;
    Answer a = {result, result != NULL ? *result_len : 0, result_len};
    if (type_id != TYPE_ID) return NYASH_E_INVALID_TYPE;
    if (method_id == NYASH_METHOD_BIRTH) return birth(&a);
    if (method_id == NYASH_METHOD_FINI) {
        if (!remove_file(instance_id)) return NYASH_E_INVALID_HANDLE;
        *result_len = 0;
        return NYASH_OK;
    }
    size_t m = 0;
    while (m < METHODS && methods[m].id != method_id) m++;
    if (m == METHODS) return NYASH_E_INVALID_METHOD;

    Arg values[MAX_ARGS];
    const char *problem;
    if (!read_args(args, args_len, methods[m].args, values, &problem))
        return fail(&a, NYASH_E_INVALID_ARGS, "%s: %s takes %u", problem, methods[m].name,
                    methods[m].args);
    File *f = get_file(instance_id);
    if (f == NULL) return NYASH_E_INVALID_HANDLE;
    if (!methods[m].locks) pthread_mutex_lock(&f->lock);
    int32_t code = methods[m].run(f, values, &a);
    if (!methods[m].locks) pthread_mutex_unlock(&f->lock);
    put_file(f);
    return code;
}

/* Files that a call is still working on live until it ends. */
void nyash_plugin_shutdown(void) {
    pthread_mutex_lock(&table_lock);
    File **old = buckets;
    size_t count = bucket_count;
    buckets = NULL;
    bucket_count = 0;
    file_count = 0;
    pthread_mutex_unlock(&table_lock);
    for (size_t i = 0; i < count; i++) {
        for (File *f = old[i], *next; f != NULL; f = next) {
            next = f->next;
            put_file(f);
        }
    }
    free(old);
}
