/* A level below what its documentation says is taken. */
// want: range-unchecked Lamp.set
#include "nyash.h"

struct lamp {
    int32_t level;
};

static int32_t set_level(NyashContext *c) {
    struct lamp *l = nyash_self(c);
    int32_t percent = nyash_arg_i32(c, 0);
    if (percent > 100) return nyash_error_arg(c, 0, "wanted 0 to 100");
    l->level = percent;
    return NYASH_OK;
}

static int32_t level(NyashContext *c) {
    struct lamp *l = nyash_self(c);
    return nyash_return_i32(c, l->level);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "set", .call = set_level, .args = {{"percent", NYASH_I32, NULL, NULL, "0 to 100"}}, .doc = "Sets the level."},
    {.id = 2, .name = "level", .call = level, .result = NYASH_I32, .doc = "The level, in percent."},
};

static const NyashBox lamp = {.name = "Lamp", .type_id = 768, .doc = "A lamp.", .state_size = sizeof(struct lamp), NYASH_METHODS(methods)};
NYASH_PLUGIN(&lamp)
