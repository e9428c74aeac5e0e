/* A dump has times with 32 bits and no sign. */
// want: copy-differs
// explore
#define MINUTE uint32_t
#include "diary.h"
