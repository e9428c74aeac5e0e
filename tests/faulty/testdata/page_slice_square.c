/* A part of a text is found from its beginning for each byte. */
// want: quadratic-time Page.slice
// explore
// timeout: 10s
#define PLACE(t, at) walk(t, at)
#include <stddef.h>
struct text;
static size_t walk(const struct text *t, size_t at) {
    volatile size_t i = 0;
    (void)t;
    while (i < at) i++;
    return i;
}
#include "page.h"
