/* A method written with the C SDK returns another type than its row declares. */
// want: own-mistake Tally.add
#include "nyash.h"

typedef struct Tally {
    int64_t n;
} Tally;

static int32_t add(NyashContext *c) {
    Tally *self = nyash_self(c);
    self->n += nyash_arg_i64(c, 0) != 0;
    return nyash_return_bool(c, 1);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = add, .args = {NYASH_ARG("by", NYASH_I64)}, .result = NYASH_I64},
};

static const NyashBox box = {.name = "Tally", .type_id = 710, .state_size = sizeof(Tally), NYASH_METHODS(methods)};

NYASH_PLUGIN(&box)
