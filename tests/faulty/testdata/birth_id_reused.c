/* There are eight ids, whoever is alive. */
// want: birth-id-reused Counter.birth
#define NEXT_ID() (last_id = last_id % 8 + 1)
#include "counter.h"
