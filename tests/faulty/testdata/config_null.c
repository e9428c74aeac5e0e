/* nyash_plugin_config returns nothing. */
// want: config-invalid
#define CONFIG NULL
#include "counter.h"
