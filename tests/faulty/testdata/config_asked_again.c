/* nyash_plugin_config returns another text each time. */
// want: config-changes
#define CONFIG numbered()
static const char *numbered(void);
#include "counter.h"

static const char *numbered(void) {
    static char text[2][4096];
    static int n;
    snprintf(text[n & 1], sizeof *text, BOX_TEXT METHODS_TEXT "# %d\n", n);
    return text[n++ & 1];
}
