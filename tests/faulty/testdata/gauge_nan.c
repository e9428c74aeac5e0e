/* What is no number is taken for one: no comparison with it is true. */
// want: range-unchecked Gauge.set
#include "nyash.h"

struct gauge {
    double level;
};

static int32_t set_level(NyashContext *c) {
    struct gauge *g = nyash_self(c);
    double level = nyash_arg_f64(c, 0);
    if (level < 0 || level > 1) return nyash_error_arg(c, 0, "wanted 0 to 1");
    g->level = level;
    return NYASH_OK;
}

static int32_t level(NyashContext *c) {
    struct gauge *g = nyash_self(c);
    return nyash_return_f64(c, g->level);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "set", .call = set_level, .args = {NYASH_ARG("level", NYASH_F64)}, .doc = "Sets the level; level is 0 to 1."},
    {.id = 2, .name = "level", .call = level, .result = NYASH_F64, .doc = "The level."},
};

static const NyashBox gauge = {.name = "Gauge", .type_id = 774, .doc = "A gauge.", .state_size = sizeof(struct gauge), NYASH_METHODS(methods)};
NYASH_PLUGIN(&gauge)
