/* What is left behind each line is moved to the front. */
// want: quadratic-time Lines.count
// explore
#include "nyash.h"
#include <stdlib.h>

static int32_t count(NyashContext *c) {
    NyashBytes data = nyash_arg_blob(c, 0);
    char *rest = malloc(data.size + 1);
    if (rest == NULL) return nyash_error_memory(c);
    if (data.size > 0) memcpy(rest, data.data, data.size);
    int64_t lines = 0;
    for (size_t left = data.size; left > 0;) {
        char *end = memchr(rest, '\n', left);
        size_t line = end != NULL ? (size_t)(end - rest) + 1 : left;
        if (line > 1 || *rest != '\n') lines++;
        memmove(rest, rest + line, left -= line);
    }
    free(rest);
    return nyash_return_i64(c, lines);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "count", .call = count, .args = {NYASH_ARG("data", NYASH_BLOB)}, .result = NYASH_I64, .doc = "How many lines are not empty."},
};

static const NyashBox lines = {.name = "Lines", .type_id = 766, .doc = "Counts lines.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&lines)
