// want: stale-answer Texts.count
// explore
// How many texts there are is kept for later calls, and put and clear drop it, but not drop.
#define STATE \
    static int64_t counted(struct store *s) { \
        if (s->owner == 0) s->owner = (int64_t)s->count + 1; \
        return s->owner - 1; \
    }
#define ON_PUT(s) (s)->owner = 0
#define AFTER_CLEAR(s) ((s)->owner = 0, (s)->entries = NULL, (s)->room = 0)
#define ANSWERED_COUNT int64_t)counted(s) + 0 * (int64_t
#include "texts.h"
