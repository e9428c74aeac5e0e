/* A worth times a sum has no room in 64 bits. */
// want: size-wraps Shares.deal
// explore
#define WIDE int64_t
#include "shares.h"
