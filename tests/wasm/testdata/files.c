/* A module that tries to leave its folders: box Files, type 8. Each method answers 0, or errno. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "answer.h"
#include "nyash_plugin.h"

enum { READ = 1, WRITE, SYMLINK, LINK, RENAME, MKDIR, REMOVE, LIST, STAT, OPEN_ALL, READ_MANY, PREAD_MANY, WRITE_MANY, PWRITE_MANY, PRINT_MANY };

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }
void nyash_plugin_shutdown(void) {}

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    static const NyashMethodInfo methods[] = {
        {READ, "read", 0},     {WRITE, "write", 0},   {SYMLINK, "symlink", 0}, {LINK, "link", 0}, {RENAME, "rename", 0},
        {MKDIR, "mkdir", 0},   {REMOVE, "remove", 0}, {LIST, "list", 0},       {STAT, "stat", 0},
        {OPEN_ALL, "openAll", 0}, {READ_MANY, "readMany", 0}, {PREAD_MANY, "preadMany", 0},
        {WRITE_MANY, "writeMany", 0}, {PWRITE_MANY, "pwriteMany", 0}, {PRINT_MANY, "printMany", 0},
    };
    (void)host;
    info->type_id = 8;
    info->type_name = "Files";
    info->method_count = sizeof methods / sizeof methods[0];
    info->methods = methods;
    return NYASH_OK;
}

/* String n of the arguments. */
static char *text(const uint8_t *args, size_t n) {
    size_t at = 4, size;
    for (;; n--) {
        size = (size_t)args[at + 2] | (size_t)args[at + 3] << 8;
        if (n == 0) break;
        at += 4 + size;
    }
    char *copy = calloc(1, size + 1);
    memcpy(copy, args + at + 4, size);
    return copy;
}

static int32_t say(uint8_t *result, size_t *result_len, const char *what) {
    return answer(result, result_len, NYASH_TAG_STRING, what, strlen(what));
}

static int32_t outcome(uint8_t *result, size_t *result_len, int failed) {
    return say(result, result_len, failed ? strerror(errno) : "done");
}

/* How often a can be opened; all are closed again. */
static int open_all(const char *a) {
    static int fds[100000];
    int n = 0;
    while (n < 100000 && (fds[n] = open(a, O_RDONLY)) >= 0) n++;
    for (int i = 0; i < n; i++) close(fds[i]);
    return n;
}

/* Moves 16 MiB a thousand times with one call of WASI, through buffers that are one. */
static int move_all(uint32_t method, const char *a) {
    enum { BUFFERS = 1000, SIZE = 16 << 20 };
    static struct iovec all[BUFFERS];
    char *data = calloc(1, SIZE);
    for (int i = 0; i < BUFFERS; i++) all[i] = (struct iovec){data, SIZE};
    int fd = method == PRINT_MANY ? 1 : open(a, O_RDWR);
    switch (method) {
    case READ_MANY: return readv(fd, all, BUFFERS) < 0;
    case PREAD_MANY: return preadv(fd, all, BUFFERS, 0) < 0;
    case PWRITE_MANY: return pwritev(fd, all, BUFFERS, 0) < 0;
    }
    return writev(fd, all, BUFFERS) < 0;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    char data[4096] = "";
    (void)instance;
    (void)args_len;
    if (type_id != 8) return NYASH_E_INVALID_TYPE;
    if (method == NYASH_METHOD_BIRTH) {
        memcpy(result, &(uint32_t){1}, 4);
        *result_len = 4;
        return NYASH_OK;
    }
    if (method == NYASH_METHOD_FINI) {
        *result_len = 0;
        return NYASH_OK;
    }
    const char *a = text(args, 0);
    switch (method) {
    case READ: {
        int fd = open(a, O_RDONLY);
        ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data - 1);
        if (n < 0) return outcome(result, result_len, 1);
        close(fd);
        return say(result, result_len, data);
    }
    case WRITE: {
        int fd = open(a, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        int failed = fd < 0 || write(fd, "written", 7) != 7;
        if (fd >= 0) close(fd);
        return outcome(result, result_len, failed);
    }
    case SYMLINK: return outcome(result, result_len, symlink(a, text(args, 1)));
    case LINK: return outcome(result, result_len, link(a, text(args, 1)));
    case RENAME: return outcome(result, result_len, rename(a, text(args, 1)));
    case MKDIR: return outcome(result, result_len, mkdir(a, 0755));
    case REMOVE: return outcome(result, result_len, remove(a));
    case OPEN_ALL:
        snprintf(data, sizeof data, "%d", open_all(a));
        return say(result, result_len, data);
    case READ_MANY:
    case PREAD_MANY:
    case WRITE_MANY:
    case PWRITE_MANY:
    case PRINT_MANY: return outcome(result, result_len, move_all(method, a));
    case STAT: {
        struct stat st;
        if (stat(a, &st) != 0) return outcome(result, result_len, 1);
        snprintf(data, sizeof data, "%lld", (long long)st.st_size);
        return say(result, result_len, data);
    }
    case LIST: {
        DIR *dir = opendir(a);
        if (dir == NULL) return outcome(result, result_len, 1);
        for (struct dirent *e; (e = readdir(dir)) != NULL;)
            if (e->d_name[0] != '.') strncat(strncat(data, e->d_name, 100), " ", 2);
        closedir(dir);
        return say(result, result_len, data);
    }
    }
    return NYASH_E_INVALID_METHOD;
}
