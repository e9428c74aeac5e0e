/* A key that is put again loses the old value. */
// want: leak
// may: memory-growth
// memcheck
// explore
#define FREE_VALUE(e) ((e)->value = NULL)
#include "texts.h"
