/* The size of a dump is computed in 16 bits, and what does not fit is left out. */
// want: size-wraps Notes.dump
// explore
#define ALL_SIZE uint16_t
#include "dump.h"
