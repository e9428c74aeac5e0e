/* init frees what nyash_plugin_config returned. */
// want: config-changes
// wasm: nothing: hosts copy the text, and do not look at its place again
static char *text;
#define CONFIG (text = strdup(BOX_TEXT METHODS_TEXT))
#define ON_INIT (memset(text, '#', 4), free(text))
#include "counter.h"
