// want: instances-mixed Texts.count
// explore
// How many texts there are is counted for all instances.
#define STATE static int64_t puts;
#define ON_PUT(s) puts++
#define ON_SHUTDOWN puts = 0
#define ANSWERED_COUNT int64_t)puts + 0 * (int64_t
#include "texts.h"
