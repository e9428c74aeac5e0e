/* A dump has times with 16 bits. */
// want: copy-differs
// explore
#define MINUTE int16_t
#include "diary.h"
