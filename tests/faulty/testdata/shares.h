/* A plugin without a fault, with the C SDK: box Shares, type 772: what each of several is worth, and what of a sum that is. The
 * files that include this one each define one macro in another way. */
#include "nyash.h"
#include <stdio.h>
#include <stdlib.h>

#ifndef WIDE /* of a worth times a sum */
#define WIDE __int128
#endif
#define MOST 16

struct shares {
    int64_t worth[MOST], total;
    size_t count;
};

static int32_t add(NyashContext *c) {
    struct shares *s = nyash_self(c);
    int64_t worth = nyash_arg_i64(c, 0), total;
    if (worth < 1) return nyash_error_arg(c, 0, "wanted 1 or more");
    if (s->count == MOST || __builtin_add_overflow(s->total, worth, &total)) return nyash_error(c, NYASH_E_PLUGIN, "there is no room for it");
    s->worth[s->count++] = worth;
    s->total = total;
    return nyash_return_i64(c, (int64_t)s->count);
}

static int32_t deal(NyashContext *c) {
    const struct shares *s = nyash_self(c);
    int32_t sum = nyash_arg_i32(c, 0);
    char text[MOST * 21 + 1] = "", *at = text;
    if (sum < 0 || sum > 100000) return nyash_error_arg(c, 0, "wanted 0 to 100000");
    for (size_t i = 0; i < s->count; i++) at += sprintf(at, "%lld\n", (long long)((WIDE)s->worth[i] * sum / s->total));
    return nyash_return_text(c, text);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = add, .args = {NYASH_ARG("worth", NYASH_I64)}, .result = NYASH_I64, .doc = "Adds a share of 16 at most; returns how many there are. All of them together are worth less than 2^63."},
    {.id = 2, .name = "deal", .call = deal, .args = {NYASH_ARG("sum", NYASH_I32)}, .result = NYASH_STRING, .doc = "What each share has of 0 to 100000, rounded down, a line each."},
};

static const NyashBox shares = {.name = "Shares", .type_id = 772, .doc = "Shares of a sum.", .state_size = sizeof(struct shares), NYASH_METHODS(methods)};
NYASH_PLUGIN(&shares)
