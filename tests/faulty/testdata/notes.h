/* A box of files without a fault. Macros give it one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nyash.h"

/* The number of bytes that read makes room for: with what fstat says alone, files in /proc are empty. */
#ifndef MOST_OF
#define MOST_OF(st) ((void)(st), (size_t)NYASH_TLV_MAX_PAYLOAD)
#endif
/* What a short write leaves to do. */
#ifndef WROTE
#define WROTE(done, n) ((done) += (size_t)(n))
#endif
#ifndef CLOSED
#define CLOSED(fd) (close(fd) == 0)
#endif
/* A copy begins at the beginning of the file. */
#ifndef EMPTY
#define EMPTY(fd) (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0)
#endif
#ifndef TWIN_OPEN
#define TWIN_OPEN(fd) true
#endif

#ifndef REFUSED
#define REFUSED(c) refuse(c, "it cannot be opened")
#endif

struct notes {
    int fd; /* from 1: one more than the descriptor; 0 while no file is open */
    bool failed;
};

static int32_t refuse(NyashContext *c, const char *why) { return nyash_error(c, NYASH_E_PLUGIN, "%s", why); }

static int open_at(const char *path, int flags) {
    struct stat st;
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd >= 0 && (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

static int32_t notes_open(NyashContext *c) {
    struct notes *f = nyash_self(c);
    NyashText mode = nyash_arg_string(c, 1);
    char *path;
    int fd;
    if (mode.size != 1 || (mode.data[0] != 'r' && mode.data[0] != 'w'))
        return nyash_error(c, NYASH_E_INVALID_ARGS, "the mode is r or w");
    if (f->fd != 0) return refuse(c, "a file is open");
    NYASH_TRY(nyash_arg_cstring(c, 0, &path));
    fd = open_at(path, mode.data[0] == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC);
    free(path);
    if (fd < 0) return REFUSED(c);
    f->fd = fd + 1;
    f->failed = false;
    return NYASH_OK;
}

/* Reads up to so many bytes from the beginning; -1 where that fails. */
static ssize_t read_from(int fd, uint8_t *data, size_t size) {
    size_t got = 0;
    while (got < size) {
        ssize_t n = pread(fd, data + got, size - got, (off_t)got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int32_t notes_read(NyashContext *c) {
    struct notes *f = nyash_self(c);
    struct stat st;
    uint8_t *data;
    ssize_t n;
    size_t most;
    int32_t code;
    if (f->fd == 0) return refuse(c, "no file is open");
    if (fstat(f->fd - 1, &st) != 0) return refuse(c, "it cannot be looked at");
    most = MOST_OF(st);
    data = malloc(most + 1);
    if (data == NULL) return nyash_error_memory(c);
    n = read_from(f->fd - 1, data, most + 1);
    if (n > NYASH_TLV_MAX_PAYLOAD)
        code = refuse(c, "it is too long");
    else
        code = n < 0 ? refuse(c, "it cannot be read") : nyash_return_bytes(c, data, (size_t)n < most ? (size_t)n : most);
    free(data);
    return code;
}

static bool put(int fd, const uint8_t *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        WROTE(done, n);
    }
    return true;
}

static int32_t notes_write(NyashContext *c) {
    struct notes *f = nyash_self(c);
    NyashBytes data = nyash_arg_bytes(c, 0);
    if (f->fd == 0) return refuse(c, "no file is open");
    if (put(f->fd - 1, data.data, data.size)) return NYASH_OK;
#ifdef FLAGS
    f->failed = true; /* as stdio's ferror tells */
    return NYASH_OK;
#else
    return refuse(c, "it cannot be written");
#endif
}

static int32_t notes_failed(NyashContext *c) { return nyash_return_bool(c, ((struct notes *)nyash_self(c))->failed); }

static int32_t notes_close(NyashContext *c) {
    struct notes *f = nyash_self(c);
    int fd = f->fd - 1;
    f->fd = 0;
    return fd < 0 || CLOSED(fd) ? NYASH_OK : refuse(c, "it was not kept");
}

static int32_t notes_copy(NyashContext *c) {
    struct notes *to = nyash_self(c);
    const struct notes *from = nyash_arg_instance(c, 0);
    uint8_t *data;
    ssize_t n;
    bool done;
    if (to->fd == 0 || from->fd == 0) return refuse(c, "no file is open");
    data = malloc(NYASH_TLV_MAX_PAYLOAD + 1);
    if (data == NULL) return nyash_error_memory(c);
    n = read_from(from->fd - 1, data, NYASH_TLV_MAX_PAYLOAD + 1);
    done = n >= 0 && n <= NYASH_TLV_MAX_PAYLOAD && EMPTY(to->fd - 1) && put(to->fd - 1, data, (size_t)n);
    free(data);
    return done ? NYASH_OK : refuse(c, "it cannot be copied");
}

/* The same file in another instance. */
static int32_t notes_twin(NyashContext *c) {
    const struct notes *f = nyash_self(c);
    struct notes *twin = nyash_create(c, NULL);
    int fd = -1;
    if (twin == NULL) return nyash_error_memory(c);
    if (f->fd != 0 && (fd = dup(f->fd - 1)) < 0) return refuse(c, "it cannot be opened again");
    if (TWIN_OPEN(fd)) twin->fd = fd + 1;
    return nyash_return_instance(c, twin);
}

static void notes_fini(void *state) {
    struct notes *f = state;
    if (f->fd != 0) close(f->fd - 1);
}

static const NyashMethod notes_methods[] = {
    {.id = 1, .name = "open", .call = notes_open, .args = {NYASH_ARG("path", NYASH_STRING), NYASH_ARG("mode", NYASH_STRING)}},
    {.id = 2, .name = "read", .call = notes_read, .result = NYASH_BYTES},
    {.id = 3, .name = "write", .call = notes_write, .args = {NYASH_ARG("data", NYASH_BYTES)}},
    {.id = 5, .name = "close", .call = notes_close},
    {.id = 6, .name = "failed", .call = notes_failed, .result = NYASH_BOOL},
    {.id = 7, .name = "copy", .call = notes_copy, .args = {NYASH_ARG("from", NYASH_HANDLE)}},
    {.id = 8, .name = "twin", .call = notes_twin, .result = NYASH_HANDLE},
};
static const NyashBox notes = {
    .name = "Notes", .type_id = 720, .state_size = sizeof(struct notes), .fini = notes_fini, NYASH_METHODS(notes_methods)};
NYASH_PLUGIN(&notes)
