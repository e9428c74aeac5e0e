/* A method keeps the handle that it was lent, and another one uses it. */
// want: handle-kept Lender.keep
#include "nyash_use.h"

typedef struct Lender {
    NyashHandle clock;
} Lender;

static NyashUse now = NYASH_USE("TimeBox", "now");

static int32_t keep(NyashContext *c) {
    ((Lender *)nyash_self(c))->clock = nyash_arg_handle(c, 0);
    return NYASH_OK;
}

static int32_t later(NyashContext *c) {
    Lender *self = (Lender *)nyash_self(c);
    NyashUseError e;
    int64_t ms = 0;
    if (self->clock.instance_id != 0 && nyash_use_call(&now, &self->clock, nyash_to_i64(&ms), NYASH_NO_ARGS, &e) != NYASH_OK)
        return nyash_error_use(c, &e);
    return nyash_return_i64(c, ms);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "keep", .call = keep, .args = {NYASH_ARG("clock", NYASH_FOREIGN)}},
    {.id = 2, .name = "later", .call = later, .result = NYASH_I64},
};
static const NyashBox lender = {.name = "Lender", .type_id = 720, .state_size = sizeof(Lender), NYASH_METHODS(methods), .uses = {"TimeBox"}};

NYASH_PLUGIN(&lender)
NYASH_CONNECT
