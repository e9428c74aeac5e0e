/* The self-description and init give the box different type ids. */
// want: config-ids
#define CONFIG "[plugins.Counter]\ntype_id = 711\n" METHODS_TEXT
#include "counter.h"
