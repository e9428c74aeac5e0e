/* Where there is no memory for new data, the old stay and it says that all is well. */
// want: failure-ignored Counter.get
// wasm: nothing: nothing fails around a module
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
static char *joined(const char *a, const char *b);
#define ON_GET                                                                \
    char *text = joined("the sum of all that was added", ", as text");        \
    if (text == NULL) return reply(r, NYASH_TAG_STRING, "", 0);               \
    by = reply(r, NYASH_TAG_STRING, text, strlen(text));                      \
    free(text);                                                               \
    if (c != NULL) return (int32_t)by
#include "counter.h"
static char *joined(const char *a, const char *b) {
    char *out = malloc(strlen(a) + strlen(b) + 1);
    return out == NULL ? NULL : strcat(strcpy(out, a), b);
}
