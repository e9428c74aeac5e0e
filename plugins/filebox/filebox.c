/*
 * FileBox: files as a Nyash plugin, in C11 on POSIX files and threads.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * README.md says what each method does. message.h reads arguments and writes
 * replies, box.h has the instances and their files; here are the methods and the
 * functions that the host calls.
 */

#include "message.h"

#include "box.h"

#define TYPE_ID UINT32_C(6)
#define TYPE_NAME "FileBox"

enum {
    COPY_BLOCK = 128 << 10, /* bytes that copyFrom moves at a time */
    FIRST_BLOB = 64 << 10   /* room for files whose size the system does not know */
};

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
