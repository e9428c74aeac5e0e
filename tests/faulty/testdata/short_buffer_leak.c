/* What a result is made of is lost where the result has no room. */
// want: memory-growth Counter.get
// says: each call whose result has no room leaves
// wasm: nothing: its heap is not counted
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define ON_GET                                                                \
    char *volatile text = malloc(40);                                         \
    if (text == NULL) return NYASH_E_OUT_OF_MEMORY;                           \
    strcpy(text, "the sum of all that was added");                            \
    if (*r.length < 8 + strlen(text)) {                                       \
        *r.length = 8 + strlen(text);                                         \
        return NYASH_E_SHORT_BUFFER;                                          \
    }                                                                         \
    by = reply(r, NYASH_TAG_STRING, text, strlen(text));                      \
    free(text);                                                               \
    if (c != NULL) return (int32_t)by
#include "counter.h"
