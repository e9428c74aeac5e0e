/* What is put onto a full shelf is lost. A shelf is full soon only with an argument of birth that is described nowhere. */
// want: memory-growth Shelf.put
// explore
#include "nyash.h"

#define MOST 2000

struct shelf {
    char *all[MOST];
    int64_t count, limit;
};

static int32_t birth(NyashContext *c) {
    struct shelf *s = nyash_self(c);
    s->limit = nyash_arg_given(c, 0) ? nyash_arg_i64(c, 0) : MOST;
    if (s->limit < 1 || s->limit > MOST) return nyash_error_arg(c, 0, "a shelf has 1 to 2000 places");
    return NYASH_OK;
}

static void fini(void *self) {
    struct shelf *s = self;
    for (int64_t i = 0; i < s->count; i++) free(s->all[i]);
}

static int32_t put(NyashContext *c) {
    struct shelf *s = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    char *copy = calloc(1, text.size + 1);
    if (copy == NULL) return nyash_error_memory(c);
    if (text.size > 0) memcpy(copy, text.data, text.size);
    if (s->count == s->limit) return nyash_error(c, NYASH_E_PLUGIN, "the shelf is full");
    s->all[s->count++] = copy;
    return NYASH_OK;
}

static int32_t count(NyashContext *c) { return nyash_return_i64(c, ((struct shelf *)nyash_self(c))->count); }

static const NyashMethod methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = birth, .args = {NYASH_ARG("places", NYASH_I64 | NYASH_OPTIONAL)}},
    {.id = 1, .name = "put", .call = put, .args = {NYASH_ARG("text", NYASH_STRING)}},
    {.id = 2, .name = "count", .call = count, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Shelf", .type_id = 750, .state_size = sizeof(struct shelf), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
