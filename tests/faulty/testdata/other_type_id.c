/* nyash.toml gives the box another type id. */
// want: type-id Counter
// toml
// type_id: 711
#include "counter.h"
