/* A count of things, which takes over those of another one. */
#include "nyash.h"

#ifndef FITS
#define FITS(have, more) ((have) <= INT64_MAX - (more))
#endif

struct tally {
    int64_t total;
};

static int32_t more(NyashContext *c, int64_t n) {
    struct tally *t = nyash_self(c);
    if (!FITS(t->total, n)) return nyash_error(c, NYASH_E_PLUGIN, "so many cannot be counted");
    t->total = (int64_t)((uint64_t)t->total + (uint64_t)n);
    return nyash_return_i64(c, t->total);
}

static int32_t method_add(NyashContext *c) {
    int64_t n = nyash_arg_i64(c, 0);
    if (n < 0 || n > 1000) return nyash_error_arg(c, 0, "0 to 1,000 at once");
    return more(c, n);
}

static int32_t method_merge(NyashContext *c) {
    struct tally *other = nyash_arg_instance(c, 0);
    return more(c, other->total);
}

static int32_t method_total(NyashContext *c) { return nyash_return_i64(c, ((struct tally *)nyash_self(c))->total); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("n", NYASH_I64)}, .result = NYASH_I64, .doc = "Counts so many more, and answers how many there are."},
    {.id = 2, .name = "merge", .call = method_merge, .args = {NYASH_ARG("other", NYASH_HANDLE)}, .result = NYASH_I64, .doc = "Counts those of another one, too."},
    {.id = 3, .name = "total", .call = method_total, .result = NYASH_I64, .doc = "How many there are."},
};
static const NyashBox box = {.name = "Tally", .type_id = 762, .state_size = sizeof(struct tally), .doc = "A count.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
