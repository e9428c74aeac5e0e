/* A factor is kept in 32 bits. */
// want: value-damaged Texts.scale
// explore
#define FACTOR float
#include "texts.h"
