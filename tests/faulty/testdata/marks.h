/* A plugin without a fault, with the C SDK: box Marks, type 771: a sorted set of numbers. The files that include this one
 * each define one macro in another way. */
#include "nyash.h"
#include <stdlib.h>
#include <string.h>

#define MOST 5000

#ifndef SORT_EACH /* what is taken in is sorted once */
#define SORT_EACH 0
#endif

struct marks {
    int64_t all[MOST];
    size_t count;
};

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void normalise(struct marks *s) {
    size_t kept = 0;
    qsort(s->all, s->count, sizeof s->all[0], by_number);
    for (size_t i = 0; i < s->count; i++)
        if (kept == 0 || s->all[i] != s->all[kept - 1]) s->all[kept++] = s->all[i];
    s->count = kept;
}

static int32_t add(NyashContext *c) {
    struct marks *s = nyash_self(c);
    int64_t n = nyash_arg_i64(c, 0);
    size_t at = 0, end = s->count;
    while (at < end) {
        size_t half = at + (end - at) / 2;
        if (s->all[half] < n) at = half + 1;
        else end = half;
    }
    if (at < s->count && s->all[at] == n) return nyash_return_bool(c, 0);
    if (s->count == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d", MOST);
    memmove(s->all + at + 1, s->all + at, (s->count - at) * sizeof s->all[0]);
    s->all[at] = n;
    s->count++;
    return nyash_return_bool(c, 1);
}

static int32_t count(NyashContext *c) {
    const struct marks *s = nyash_self(c);
    return nyash_return_i64(c, (int64_t)s->count);
}

static int32_t nth(NyashContext *c) {
    const struct marks *s = nyash_self(c);
    int64_t i = nyash_arg_i64(c, 0);
    if (i < 0 || (uint64_t)i >= s->count) return nyash_error_arg(c, 0, "there are not so many");
    return nyash_return_i64(c, s->all[i]);
}

static int32_t save(NyashContext *c) {
    const struct marks *s = nyash_self(c);
    return nyash_return_blob(c, s->all, s->count * sizeof s->all[0]);
}

static int32_t load(NyashContext *c) {
    struct marks *s = nyash_self(c), *next;
    NyashBytes saved = nyash_arg_blob(c, 0);
    if (saved.size % sizeof s->all[0] != 0 || saved.size > sizeof s->all) return nyash_error_arg(c, 0, "wanted what save answers");
    if (!(next = malloc(sizeof *next))) return nyash_error_memory(c);
    next->count = 0;
    for (size_t i = 0; i < saved.size / sizeof s->all[0]; i++) {
        memcpy(&next->all[next->count++], saved.data + i * sizeof s->all[0], sizeof s->all[0]);
        if (SORT_EACH) normalise(next);
    }
    normalise(next);
    memcpy(s, next, sizeof *s);
    free(next);
    return NYASH_OK;
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = add, .args = {{"n", NYASH_I64}}, .result = NYASH_BOOL, .doc = "Adds a number; returns whether it is new. There are 5,000 at most."},
    {.id = 2, .name = "count", .call = count, .result = NYASH_I64, .doc = "How many numbers there are."},
    {.id = 3, .name = "nth", .call = nth, .args = {{"i", NYASH_I64}}, .result = NYASH_I64, .doc = "The number that so many smaller ones are before."},
    {.id = 4, .name = "save", .call = save, .result = NYASH_BLOB, .doc = "All numbers, 8 bytes each, for load."},
    {.id = 5, .name = "load", .call = load, .args = {{"saved", NYASH_BLOB}}, .doc = "Replaces all numbers by those that save answered."},
};

static const NyashBox marks = {.name = "Marks", .type_id = 771, .doc = "A sorted set of numbers.", .state_size = sizeof(struct marks), NYASH_METHODS(methods)};
NYASH_PLUGIN(&marks)
