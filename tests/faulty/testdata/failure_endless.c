/* It reads again whatever the reason is that reading fails. */
// want: failure-crash Counter.poke
// wasm: nothing: nothing fails around a module
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
#define DO_POKE                                                   \
    static int32_t poke(struct counter *c, struct reply r) {      \
        char byte;                                                \
        int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);         \
        (void)c;                                                  \
        if (fd < 0) return NYASH_E_PLUGIN;                        \
        while (read(fd, &byte, 1) < 0) {}                         \
        close(fd);                                                \
        return nothing(r);                                        \
    }
#include "counter.h"
