/*
 * FileBox: files as a Nyash plugin, in C11 on POSIX files and threads.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * README.md says what each method does. The SDK runs the calls on one instance
 * one after another, and locks both instances of copyFrom in an order of its
 * own; so nothing here locks. An instance owns its descriptor and its path.
 */
#include "file.h"

#include "../sdk/c/nyash.h"

enum {
    COPY_BLOCK = 128 << 10, /* bytes that copyFrom moves at a time */
    FIRST_BLOB = 64 << 10   /* room for files whose size the system does not know */
};

enum need { OPEN, READABLE, WRITABLE };

static int32_t fail_system(NyashContext *c, int err, const char *path) {
    char text[128];
    return nyash_error(c, NYASH_E_PLUGIN, "%s: %s", file_reason(err, text, sizeof text), *path != '\0' ? path : "\"\"");
}

static int32_t check(NyashContext *c, const struct file *f, enum need need) {
    if (f->mode == NULL && f != nyash_self(c))
        return nyash_error(c, NYASH_E_PLUGIN, "the FileBox to copy from has no open file");
    if (f->mode == NULL)
        return nyash_error(c, NYASH_E_PLUGIN, "no file is open: call open first");
    if (need == OPEN || (f->mode->flags & O_ACCMODE) != (need == READABLE ? O_WRONLY : O_RDONLY))
        return NYASH_OK;
    return nyash_error(c, NYASH_E_PLUGIN, "opened with mode \"%s\", which does not %s: %s", f->mode->name,
                       need == READABLE ? "read (use r, r+ or w+)" : "write (use w, a, r+ or w+)", f->path);
}

static int32_t get_status(NyashContext *c, const struct file *f, struct stat *st) {
    return fstat(f->fd, st) == 0 ? NYASH_OK : fail_system(c, errno, f->path);
}

static void fini(void *state) {
    struct file *f = state;
    int err = f->mode != NULL ? file_close(f) : 0;
    char text[128];
    if (err != 0)
        nyash_log(NYASH_LOG_WARN, "closing a finalised FileBox: %s: %s", file_reason(err, text, sizeof text), f->path);
    free(f->path);
}

static int32_t method_open(NyashContext *c) {
    struct file *f = nyash_self(c);
    NyashText name = nyash_arg_string(c, 1);
    const struct mode *mode = file_mode(name.data, name.size);
    char *path; /* the instance's once the file is open */
    if (mode == NULL)
        return nyash_error(c, NYASH_E_INVALID_ARGS, "argument 2 (mode): wanted r, w, a, r+ or w+, got \"%.*s\"",
                           name.size < 32 ? (int)name.size : 32, name.data);
    if (f->mode != NULL)
        return nyash_error(c, NYASH_E_PLUGIN, "already open, call close first: %s", f->path);
    NYASH_TRY(nyash_arg_cstring(c, 0, &path));
    int err = file_open(path, mode->flags, &f->fd);
    int32_t code = err == 0 ? NYASH_OK : fail_system(c, err, path);
    if (err == 0)
        f->mode = mode, f->path = path;
    else
        free(path);
    return code;
}

/* Answers with the bytes from offset on, at most limit of them. Their number
 * goes to *got if the answer is NYASH_OK. */
static int32_t return_range(NyashContext *c, off_t offset, size_t limit, size_t *got) {
    const struct file *f = nyash_self(c);
    struct stat st;
    size_t expected = 0, room;
    uint8_t *data, next;
    NYASH_TRY(get_status(c, f, &st));
    if (st.st_size > offset)
        expected = st.st_size - offset < (off_t)limit ? (size_t)(st.st_size - offset) : limit;
    NYASH_TRY(nyash_reserve(c, expected, &data, &room));
    if (room > limit)
        room = limit;
    ssize_t n = file_read_at(f, data, room, offset);
    /* Is there more than the system said, as in a file that has grown or in
     * /proc? Then nobody knows how much. */
    ssize_t more = n == (ssize_t)room && room < limit ? file_read_at(f, &next, 1, offset + n) : 0;
    if (n < 0 || more < 0)
        return fail_system(c, errno, f->path);
    if (more > 0)
        return nyash_reserve(c, limit, NULL, NULL);
    *got = (size_t)n;
    return nyash_return_reserved(c, *got);
}

static int32_t method_read(NyashContext *c) {
    const struct file *f = nyash_self(c);
    size_t got;
    NYASH_TRY(check(c, f, READABLE));
    NYASH_TRY(return_range(c, 0, NYASH_TLV_MAX_PAYLOAD, &got));
    ssize_t more = got == NYASH_TLV_MAX_PAYLOAD ? file_read_at(f, &(uint8_t){0}, 1, NYASH_TLV_MAX_PAYLOAD) : 0;
    if (more < 0)
        return fail_system(c, errno, f->path);
    if (more > 0)
        return nyash_error(c, NYASH_E_PLUGIN, "longer than the %d bytes that read can return; "
                           "use readAt(offset, length) to read it in parts: %s", NYASH_TLV_MAX_PAYLOAD, f->path);
    return NYASH_OK;
}

static int32_t method_read_at(NyashContext *c) {
    int64_t offset = nyash_arg_i64(c, 0), length = nyash_arg_i64(c, 1);
    size_t got;
    if (offset < 0)
        return nyash_error_arg(c, 0, "wanted 0 or more, got a negative number");
    if (length < 0)
        return nyash_error_arg(c, 1, "wanted 0 or more, got a negative number");
    if (length > NYASH_TLV_MAX_PAYLOAD)
        return nyash_error(c, NYASH_E_INVALID_ARGS,
                           "argument 2 (length): wanted at most %d, which is what one call can return, got %lld",
                           NYASH_TLV_MAX_PAYLOAD, (long long)length);
    NYASH_TRY(check(c, nyash_self(c), READABLE));
    /* The system refuses a range whose end is no offset; it holds nothing. */
    if (length > INT64_MAX - offset)
        length = INT64_MAX - offset;
    return return_range(c, offset, (size_t)length, &got);
}

/* Reads a file to its end into memory of the host's, which grows with it.
 * Returns 0 or an errno; *data is the caller's to free in both cases. */
static int read_whole(const struct file *f, size_t room, uint8_t **data, size_t *got) {
    *got = 0;
    *data = nyash_blob_alloc(room);
    while (*data != NULL) {
        ssize_t n = file_read_at(f, *data + *got, room - *got, (off_t)*got);
        if (n < 0)
            return errno;
        *got += (size_t)n;
        if (*got < room)
            return 0;
        if (room > SIZE_MAX / 2)
            return EFBIG;
        uint8_t *larger = nyash_blob_alloc(room * 2);
        if (larger != NULL)
            memcpy(larger, *data, *got);
        nyash_blob_free(*data);
        *data = larger;
        room *= 2;
    }
    return ENOMEM;
}

static int32_t method_read_all(NyashContext *c) {
    const struct file *f = nyash_self(c);
    struct stat st;
    uint8_t *data;
    size_t got;
    NYASH_TRY(check(c, f, READABLE));
    NYASH_TRY(get_status(c, f, &st));
    if (st.st_size > 0 && (uintmax_t)st.st_size >= SIZE_MAX)
        return nyash_error_memory(c);
    /* One byte more than the size, to see the end. */
    int err = read_whole(f, st.st_size > 0 ? (size_t)st.st_size + 1 : FIRST_BLOB, &data, &got);
    if (err == 0)
        return nyash_return_blob_owned(c, data, got);
    nyash_blob_free(data);
    return err == ENOMEM ? nyash_error_memory(c) : fail_system(c, err, f->path);
}

/* Writes at the file's position. */
static int32_t write_bytes(NyashContext *c, NyashBytes bytes) {
    const struct file *f = nyash_self(c);
    char text[128];
    size_t written;
    NYASH_TRY(check(c, f, WRITABLE));
    int err = file_write(f, bytes.data, bytes.size, &written);
    if (err != 0)
        return nyash_error(c, NYASH_E_PLUGIN, "%s (%zu of %zu bytes were written): %s",
                           file_reason(err, text, sizeof text), written, bytes.size, f->path);
    return NYASH_OK;
}

static int32_t method_write(NyashContext *c) {
    NyashBytes bytes = nyash_arg_bytes(c, 0);
    NYASH_TRY(write_bytes(c, bytes));
    return nyash_return_i32(c, (int32_t)bytes.size);
}

static int32_t method_write_all(NyashContext *c) {
    NyashBytes bytes = nyash_arg_blob(c, 0);
    NYASH_TRY(write_bytes(c, bytes));
    return nyash_return_i64(c, (int64_t)bytes.size);
}

static int32_t method_close(NyashContext *c) {
    struct file *f = nyash_self(c);
    int err = f->mode != NULL ? file_close(f) : 0;
    int32_t code = err == 0 ? NYASH_OK : fail_system(c, err, f->path);
    free(f->path);
    f->path = NULL;
    return code;
}

static int32_t method_exists(NyashContext *c) {
    const struct file *f = nyash_self(c);
    struct stat st;
    char *given = NULL;
    if (nyash_arg_given(c, 0))
        NYASH_TRY(nyash_arg_cstring(c, 0, &given));
    else
        NYASH_TRY(check(c, f, OPEN));
    const char *path = given != NULL ? given : f->path;
    bool there = stat(path, &st) == 0;
    bool known = there || errno == ENOENT || errno == ENOTDIR;
    int32_t code = known ? nyash_return_bool(c, there) : fail_system(c, errno, path);
    free(given);
    return code;
}

static int32_t method_size(NyashContext *c) {
    struct stat st;
    NYASH_TRY(check(c, nyash_self(c), OPEN));
    NYASH_TRY(get_status(c, nyash_self(c), &st));
    return nyash_return_i64(c, st.st_size);
}

/* Copies with the block given. The first block is read before the old content
 * goes, so that a source that cannot be read costs nothing. */
static int32_t copy_content(NyashContext *c, const struct file *from, const struct file *to, uint8_t *block) {
    off_t total = 0;
    ssize_t n;
    do {
        size_t written;
        n = file_read_at(from, block, COPY_BLOCK, total);
        if (n < 0)
            return fail_system(c, errno, from->path);
        int err = total == 0 ? file_empty(to) : 0;
        if (err == 0)
            err = file_write(to, block, (size_t)n, &written);
        if (err != 0)
            return fail_system(c, err, to->path);
        total += n;
    } while (n == COPY_BLOCK);
    return nyash_return_i64(c, total);
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int32_t method_copy_from(NyashContext *c) {
    const struct file *to = nyash_self(c), *from = nyash_arg_instance(c, 0);
    struct stat source, target;
    uint8_t *block;
    NYASH_TRY(check(c, to, WRITABLE));
    NYASH_TRY(check(c, from, READABLE));
    NYASH_TRY(get_status(c, from, &source));
    NYASH_TRY(get_status(c, to, &target));
    if (!S_ISREG(source.st_mode) || !S_ISREG(target.st_mode))
        return nyash_error(c, NYASH_E_PLUGIN, "not a regular file: %s", (S_ISREG(source.st_mode) ? to : from)->path);
    if (same_file(&source, &target)) /* of the same box, or of another one */
        return nyash_return_i64(c, source.st_size);
    if ((block = malloc(COPY_BLOCK)) == NULL)
        return nyash_error_memory(c);
    int32_t code = copy_content(c, from, to, block);
    free(block);
    return code;
}

/* Opens the file of f once more for its clone, without what the mode does to a
 * file that is opened for the first time. */
static int32_t reopen(NyashContext *c, const struct file *f, struct file *clone) {
    struct stat was, is;
    if ((clone->path = strdup(f->path)) == NULL)
        return nyash_error_memory(c);
    int err = file_open(f->path, f->mode->flags & ~(O_CREAT | O_TRUNC), &clone->fd);
    if (err != 0)
        return fail_system(c, err, f->path);
    clone->mode = f->mode;
    NYASH_TRY(get_status(c, f, &was));
    NYASH_TRY(get_status(c, clone, &is));
    if (!same_file(&was, &is))
        return nyash_error(c, NYASH_E_PLUGIN, "another file has taken the place of the one that is open: %s", f->path);
    return NYASH_OK;
}

static int32_t method_clone_self(NyashContext *c) {
    const struct file *f = nyash_self(c);
    struct file *clone = nyash_create(c, NULL); /* an error ends it with fini */
    if (clone == NULL)
        return nyash_error_memory(c);
    if (f->mode != NULL)
        NYASH_TRY(reopen(c, f, clone));
    return nyash_return_instance(c, clone);
}

#define METHOD(number, word, function, type, text) \
    .id = number, .name = word, .call = function, .result = type, .doc = text

static const NyashMethod methods[] = {
    {METHOD(1, "open", method_open, NYASH_VOID, "Opens a file; mode is r, w, a, r+ or w+."),
     .args = {NYASH_ARG("path", NYASH_STRING), NYASH_ARG("mode", NYASH_STRING)}},
    {METHOD(2, "read", method_read, NYASH_BYTES, "The whole file, up to 65,535 bytes."), .limit = NYASH_RESERVES},
    {METHOD(3, "write", method_write, NYASH_I32, "Writes at the position and returns the number of bytes."),
     .args = {{"data", NYASH_BYTES, NULL, "string", NULL}}},
    {METHOD(4, "close", method_close, NYASH_VOID, "Closes the file; harmless when none is open.")},
    {METHOD(5, "exists", method_exists, NYASH_BOOL, "Whether there is a file or folder of that name."),
     .args = {NYASH_ARG("path", NYASH_STRING | NYASH_OPTIONAL)}},
    {METHOD(6, "size", method_size, NYASH_I64, "The length of the open file in bytes.")},
    {METHOD(7, "copyFrom", method_copy_from, NYASH_I64, "Replaces the content with that of another FileBox."),
     .args = {NYASH_ARG("source", NYASH_HANDLE)}},
    {METHOD(8, "cloneSelf", method_clone_self, NYASH_HANDLE, "The same file, opened again in the same mode.")},
    {METHOD(9, "readAt", method_read_at, NYASH_BYTES, "Up to 65,535 bytes from an offset."),
     .args = {NYASH_ARG("offset", NYASH_I64), NYASH_ARG("length", NYASH_I64)}, .limit = NYASH_RESERVES},
    {METHOD(10, "readAll", method_read_all, NYASH_BLOB, "The whole file, however long.")},
    {METHOD(11, "writeAll", method_write_all, NYASH_I64, "Writes at the position, however much."),
     .args = {NYASH_ARG("data", NYASH_BLOB)}},
};

static const NyashBox box = {.name = "FileBox", .type_id = 6, .doc = "Files of the operating system.",
                             .state_size = sizeof(struct file), .fini = fini, NYASH_METHODS(methods)};

NYASH_PLUGIN(&box)
