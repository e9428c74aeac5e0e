/* A dropped value is freed before it is answered. */
// want: use-after-free
// may: result-not-utf8
// flags: -Wno-use-after-free
// memcheck
// explore
#define FREED_FIRST true
#include "texts.h"
