/*
 * Files for FileBox: the system's calls, with their interruptions and partial
 * transfers dealt with. Nothing here is thread-safe on one file.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 */
#ifndef FILE_H
#define FILE_H

#if defined(_WIN32)
#error "FileBox is written for POSIX files and threads: on Windows, build it in Cygwin or WSL, for a host that runs there."
#endif

#undef _GNU_SOURCE /* with it, glibc's strerror_r is not the one of POSIX */
#undef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "FileBox promises 64-bit sizes and offsets");

struct mode {
    const char *name;
    int flags; /* for open(2) */
};

struct file {
    int fd;
    const struct mode *mode; /* NULL while no file is open */
    char *path;
};

static const struct mode *file_mode(const char *name, size_t size) {
    static const struct mode modes[] = {{"r", O_RDONLY},
                                        {"w", O_WRONLY | O_CREAT | O_TRUNC},
                                        {"a", O_WRONLY | O_CREAT | O_APPEND},
                                        {"r+", O_RDWR},
                                        {"w+", O_RDWR | O_CREAT | O_TRUNC}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strlen(modes[i].name) == size && memcmp(modes[i].name, name, size) == 0)
            return &modes[i];
    return NULL;
}

/* The system's words for an error, to stand inside a sentence. */
static const char *file_reason(int err, char *text, size_t size) {
    if (strerror_r(err, text, size) != 0)
        snprintf(text, size, "error %d", err);
    /* An abbreviation keeps its capitals. */
    if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
        text[0] = (char)(text[0] - 'A' + 'a');
    return text;
}

/* Opens what is not a directory. Returns 0 and the descriptor, or an errno. */
static int file_open(const char *path, int flags, int *fd) {
    struct stat st;
    int err = 0;
    do
        *fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0)
        return errno;
    if (fstat(*fd, &st) != 0)
        err = errno;
    else if (S_ISDIR(st.st_mode)) /* the system lets directories be opened for reading */
        err = EISDIR;
    if (err != 0)
        close(*fd);
    return err;
}

/* Closes a file that is open and returns 0 or an errno. It is closed in either
 * case, but keeps its path for the message. */
static int file_close(struct file *f) {
    f->mode = NULL;
    /* EINTR leaves no descriptor that could safely be closed again. */
    return close(f->fd) == 0 || errno == EINTR ? 0 : errno;
}

/* Reads until n bytes or the end of the file, and returns how many there were,
 * or -1 with errno. The file's position stays. */
static ssize_t file_read_at(const struct file *f, uint8_t *buf, size_t n, off_t at) {
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(f->fd, buf + got, n - got, at + (off_t)got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -1 : (ssize_t)got;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

/* Writes n bytes at the file's position. Returns 0 or an errno; *written is
 * right in both cases. */
static int file_write(const struct file *f, const uint8_t *data, size_t n, size_t *written) {
    *written = 0;
    while (*written < n) {
        ssize_t w = write(f->fd, data + *written, n - *written);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) /* with 0 it would go on for ever */
            return w < 0 ? errno : EIO;
        *written += (size_t)w;
    }
    return 0;
}

/* Makes a file empty and sets its position to the start. Returns 0 or an errno. */
static int file_empty(const struct file *f) {
    while (ftruncate(f->fd, 0) != 0)
        if (errno != EINTR)
            return errno;
    return lseek(f->fd, 0, SEEK_SET) < 0 ? errno : 0;
}

#endif
