/* A factor is kept in 32 bits. */
// want: value-damaged Texts.scale
#define FACTOR float
#include "texts.h"
