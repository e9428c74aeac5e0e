/* The self-description and init give a method different ids. */
// want: config-ids
#define CONFIG BOX_TEXT "[plugins.Counter.methods]\nget = { method_id = 1, args = [], returns = 'i64' }\n"
#include "counter.h"
