/* Where it is full, the oldest goes before it is known whether there is memory for the new one. */
// want: half-done Ring.push
#include "nyash.h"

#define MOST 3

struct ring {
    char *all[MOST];
    size_t sizes[MOST];
    size_t first, used;
};

static void drop(struct ring *r) {
    free(r->all[r->first]);
    r->first = (r->first + 1) % MOST;
    r->used--;
}

static int32_t method_push(NyashContext *c) {
    struct ring *r = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    char *copy;
    size_t at;
    if (r->used == MOST) drop(r);
    copy = malloc(text.size + 1);
    if (copy == NULL) return NYASH_E_OUT_OF_MEMORY;
    if (text.size > 0) memcpy(copy, text.data, text.size);
    at = (r->first + r->used++) % MOST;
    r->all[at] = copy;
    r->sizes[at] = text.size;
    return NYASH_OK;
}

static int32_t method_used(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct ring *)nyash_self(c))->used); }

static int32_t method_oldest(NyashContext *c) {
    struct ring *r = nyash_self(c);
    if (r->used == 0) return nyash_error(c, NYASH_E_PLUGIN, "it is empty");
    return nyash_return_string(c, r->all[r->first], r->sizes[r->first]);
}

static void fini(void *self) {
    struct ring *r = self;
    while (r->used > 0) drop(r);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "push", .call = method_push, .args = {NYASH_ARG("text", NYASH_STRING)}, .doc = "Of three the oldest goes."},
    {.id = 2, .name = "used", .call = method_used, .result = NYASH_I64},
    {.id = 3, .name = "oldest", .call = method_oldest, .result = NYASH_STRING},
};
static const NyashBox box = {.name = "Ring", .type_id = 737, .state_size = sizeof(struct ring), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
