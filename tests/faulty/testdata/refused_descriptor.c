/* A file that is not of its format is refused, and stays open. */
// want: descriptor-leak Counter.echo
// wasm: nothing: they are the module's own
#define DO_ECHO                                                             \
    static int32_t echo(struct reply r, const uint8_t *data, size_t size) { \
        char path[64] = "", begin[4];                                       \
        int fd = -1;                                                        \
        if (size < sizeof path) {                                           \
            memcpy(path, data, size);                                       \
            fd = open(path, O_RDONLY | O_CLOEXEC);                          \
        }                                                                   \
        if (fd >= 0) {                                                      \
            if (read(fd, begin, sizeof begin) != sizeof begin ||            \
                memcmp(begin, "CNT1", sizeof begin) != 0)                   \
                return NYASH_E_PLUGIN;                                      \
            close(fd);                                                      \
        }                                                                   \
        return reply(r, ECHO_TAG, data, size);                              \
    }
#include "counter.h"
