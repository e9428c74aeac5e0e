/*
 * FileBox's instances and their files.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * Ownership: an instance is owned by the table and by each call under way on
 * it; whoever lets go last closes the file and frees the memory. A call holds
 * the locks of the instances that it works on, taken in the order of their
 * addresses, and takes the lock of the table only for moments.
 */

#ifndef FILEBOX_BOX_H
#define FILEBOX_BOX_H

#include "message.h"

enum { FIRST_BUCKETS = 16 }; /* a power of two */

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

#endif
