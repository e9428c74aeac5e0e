/* How many bytes it was given is counted with strlen. */
// want: value-damaged Total.bytes
// explore
#include "nyash.h"

struct total {
    int64_t bytes;
};

static int32_t method_add(NyashContext *c) {
    struct total *t = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    char *copy = malloc(text.size + 1);
    if (copy == NULL) return NYASH_E_OUT_OF_MEMORY;
    if (text.size > 0) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    t->bytes += (int64_t)strlen(copy);
    free(copy);
    return NYASH_OK;
}

static int32_t method_bytes(NyashContext *c) { return nyash_return_i64(c, ((struct total *)nyash_self(c))->bytes); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("text", NYASH_STRING)}},
    {.id = 2, .name = "bytes", .call = method_bytes, .result = NYASH_I64, .doc = "How many bytes all texts have."},
};
static const NyashBox box = {.name = "Total", .type_id = 739, .state_size = sizeof(struct total), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
