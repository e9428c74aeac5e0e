/* Each star is tried with all the letters that are left, for each way to match those before it. */
// want: hang Globs.matching
// explore
#include <stdbool.h>
#define MATCHES matches
static bool matches(const char *p, const char *pend, const char *t, const char *tend) {
    if (p == pend) return t == tend;
    if (*p != '*') return t < tend && (*p == '?' || *p == *t) && matches(p + 1, pend, t + 1, tend);
    for (; t <= tend; t++)
        if (matches(p + 1, pend, t, tend)) return true;
    return false;
}
#include "globs.h"
