/* A worker for pipes, as a plugin can make one of its process, that answers a blob's
 * lending before it has read the blob. Box Stubborn, type 730. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INVOKE = 0, LOAD = 5, LEND = 6, ANSWER = 8 };

struct frame {
    uint32_t op, id, type, method, instance;
    int32_t code;
    uint64_t a, b, length;
};

static void receive(void *to, size_t n) {
    for (ssize_t part; n > 0; n -= (size_t)part, to = (char *)to + part)
        if ((part = read(3, to, n)) <= 0) exit(0);
}

static void skip(uint64_t n) {
    static char data[1 << 16];
    for (size_t part; n > 0; n -= part) {
        part = n < sizeof data ? (size_t)n : sizeof data;
        receive(data, part);
    }
}

static void answer(uint32_t id, uint64_t a, const void *data, size_t n) {
    struct frame f = {ANSWER, id, 0, 0, 0, 0, a, 0, n};
    if (write(4, &f, sizeof f) != sizeof f || write(4, data, n) != (ssize_t)n) exit(0);
}

int main(void) {
    static const uint8_t nothing[] = {1, 0, 0, 0};
    char loaded[128];
    struct frame f;
    uint32_t id = 1;
    snprintf(loaded, sizeof loaded, "{\"Version\":%d,\"Description\":{\"TypeID\":730,\"TypeName\":\"Stubborn\"}}", VERSION);
    for (;;) {
        receive(&f, sizeof f);
        if (f.op == LEND) answer(f.id, 4096, "", 0);
        skip(f.length);
        if (f.op == LOAD) answer(f.id, 0, loaded, strlen(loaded));
        else if (f.op == INVOKE && f.method == 0) answer(f.id, sizeof id, &id, sizeof id);
        else if (f.op != LEND) answer(f.id, sizeof nothing, nothing, sizeof nothing);
    }
}
