/* It keeps the pointer to a large blob. */
// want: args-kept Texts.data
// explore
#define KEEP_DATA 64
#include "texts.h"
