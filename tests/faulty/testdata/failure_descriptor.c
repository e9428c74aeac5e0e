/* A file that cannot be looked at stays open. */
// want: failure-leak Counter.poke
// wasm: nothing: nothing fails around a module
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#define DO_POKE                                                   \
    static int32_t poke(struct counter *c, struct reply r) {      \
        struct stat st;                                           \
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);         \
        (void)c;                                                  \
        if (fd < 0 || fstat(fd, &st) != 0) return NYASH_E_PLUGIN; \
        close(fd);                                                \
        return nothing(r);                                        \
    }
#include "counter.h"
