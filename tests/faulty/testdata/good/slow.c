/* A plugin without a fault that asks a device again, a while later, before it gives up. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "nyash.h"

static int32_t ask(NyashContext *c) {
    const struct timespec while_later = {.tv_nsec = 300000000};
    char byte;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    if (fd < 0) return nyash_error(c, NYASH_E_PLUGIN, "cannot open");
    for (int i = 0; i < 4 && n < 0; i++) {
        if (i > 0) nanosleep(&while_later, NULL);
        n = read(fd, &byte, 1);
    }
    close(fd);
    return n < 0 ? nyash_error(c, NYASH_E_PLUGIN, "cannot read") : nyash_return_i64(c, n);
}

static const NyashMethod methods[] = {{.id = 1, .name = "ask", .call = ask, .result = NYASH_I64}};
static const NyashBox box = {.name = "Device", .type_id = 726, .state_size = 8, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
