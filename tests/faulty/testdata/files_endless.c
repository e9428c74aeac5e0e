/* Each call leaves a large file in the folder for temporary files. */
// want: runaway-memory Counter.poke
// wasm: no module: it writes files of the system's
#define ON_POKE poke_file()
static void poke_file(void);
#include "counter.h"
#include <unistd.h>

static void poke_file(void) {
    static char text[4 << 20];
    char name[512];
    const char *dir = getenv("TMPDIR");
    int fd;
    snprintf(name, sizeof name, "%s/poke-XXXXXX", dir == NULL ? "." : dir);
    fd = mkstemp(name);
    if (fd < 0) return;
    if (write(fd, text, sizeof text) < 0) unlink(name);
    close(fd);
}
