/* What follows the last number of all is computed. */
// want: order-dependent Spans.add
// explore
#define REACHES(last, first) ((first) <= (int64_t)((uint64_t)(last) + 1))
#include "spans.h"
