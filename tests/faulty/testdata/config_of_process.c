/* nyash_plugin_config returns another text in each process. */
// want: config-changes
// wasm: no module: wasi has no process ids
#define CONFIG numbered()
static const char *numbered(void);
#include "counter.h"

static const char *numbered(void) {
    static char text[4096];
    snprintf(text, sizeof text, BOX_TEXT METHODS_TEXT "# %d\n", (int)getpid());
    return text;
}
