/* A plugin without a fault, with the C SDK: box Spans, type 773: a set of whole numbers, as ranges. The files that include
 * this one each define one macro in another way. */
#include "nyash.h"
#include <stdio.h>
#include <stdlib.h>

#ifndef REACHES /* nothing is between a range that ends and one that begins */
#define REACHES(last, first) ((last) == INT64_MAX || (first) <= (last) + 1)
#endif
#define MOST 100

struct span {
    int64_t first, last;
};

struct spans {
    struct span all[MOST]; /* in order, apart */
    size_t count;
};

static int32_t add(NyashContext *c) {
    struct spans *s = nyash_self(c);
    struct span one = {nyash_arg_i64(c, 0), nyash_arg_i64(c, 1)};
    size_t from = 0, to;
    if (one.first > one.last) return nyash_error(c, NYASH_E_INVALID_ARGS, "first is more than last");
    while (from < s->count && !REACHES(s->all[from].last, one.first)) from++;
    for (to = from; to < s->count && REACHES(one.last, s->all[to].first); to++) {
        if (s->all[to].first < one.first) one.first = s->all[to].first;
        if (s->all[to].last > one.last) one.last = s->all[to].last;
    }
    if (from == to && s->count == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d", MOST);
    memmove(s->all + from + 1, s->all + to, (s->count - to) * sizeof one);
    s->count = s->count - (to - from) + 1;
    s->all[from] = one;
    return NYASH_OK;
}

static int32_t text(NyashContext *c) {
    const struct spans *s = nyash_self(c);
    char text[MOST * 42 + 1] = "", *at = text;
    for (size_t i = 0; i < s->count; i++) at += sprintf(at, "%lld..%lld ", (long long)s->all[i].first, (long long)s->all[i].last);
    return nyash_return_text(c, text);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = add, .args = {NYASH_ARG("first", NYASH_I64), NYASH_ARG("last", NYASH_I64)}, .doc = "Adds the numbers from the first to the last. There are 100 ranges at most."},
    {.id = 2, .name = "text", .call = text, .result = NYASH_STRING, .limit = MOST * 42, .doc = "The ranges, in order."},
};

static const NyashBox spans = {.name = "Spans", .type_id = 773, .doc = "A set of whole numbers.", .state_size = sizeof(struct spans), NYASH_METHODS(methods)};
NYASH_PLUGIN(&spans)
