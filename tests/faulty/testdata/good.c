/* No fault. */

#include "counter.h"

NYASH_DEFINE_INVOKE_BATCH
