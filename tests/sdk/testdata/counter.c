#include "nyash.h"

typedef struct Counter {
    int64_t n;
} Counter;

static int32_t birth(NyashContext *c) {
    ((Counter *)nyash_self(c))->n = nyash_arg_i64(c, 0);
    return NYASH_OK;
}

static int32_t add(NyashContext *c) {
    Counter *self = nyash_self(c);
    int64_t by = nyash_arg_i64(c, 0);
    if (by > 0 ? self->n > INT64_MAX - by : self->n < INT64_MIN - by)
        return nyash_error(c, NYASH_E_PLUGIN, "%lld is too much", (long long)by);
    return nyash_return_i64(c, self->n += by);
}

static int32_t get(NyashContext *c) { return nyash_return_i64(c, ((Counter *)nyash_self(c))->n); }

static const NyashMethod methods[] = {
    {.id = 0, .name = "birth", .call = birth, .args = {NYASH_ARG("start", NYASH_I64 | NYASH_OPTIONAL)}},
    {.id = 1, .name = "add", .call = add, .args = {NYASH_ARG("by", NYASH_I64)}, .result = NYASH_I64,
     .doc = "Adds to the count and returns it."},
    {.id = 2, .name = "get", .call = get, .result = NYASH_I64, .doc = "The count."},
};

static const NyashBox counter = {.name = "Counter", .type_id = 7, .doc = "A count.",
                                 .state_size = sizeof(Counter), NYASH_METHODS(methods)};

NYASH_PLUGIN(&counter)
