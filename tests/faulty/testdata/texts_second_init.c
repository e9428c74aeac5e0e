/* What shutdown leaves is there after the second init. */
// want: second-init-differs Texts.number
// explore
#define STATE static int64_t left;
#define ON_SHUTDOWN left++
#define ON_NUM(s) ((s)->num + left)
#include "texts.h"
