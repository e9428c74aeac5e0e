/* A dump that is refused leaves nothing of what was there. */
// want: half-done Links.restore
// explore
#define BEFORE_RESTORE(l) memset((l), 0, sizeof *(l))
#include "links.h"
