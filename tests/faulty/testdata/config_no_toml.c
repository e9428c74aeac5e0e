/* nyash_plugin_config returns something else than TOML. */
// want: config-invalid
#define CONFIG "plugins = ["
#include "counter.h"
