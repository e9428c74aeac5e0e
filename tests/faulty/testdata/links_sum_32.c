/* Weights are added up in 32 bits. */
// want: size-wraps Links.sum
// explore
#define SUM int32_t
#include "links.h"
