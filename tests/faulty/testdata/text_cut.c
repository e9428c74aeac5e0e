/* It cuts text between bytes, and not between characters. */
// want: result-not-utf8 Label.first
// explore
#include "nyash.h"

struct label {
    char *text;
    size_t size;
};

static int32_t method_set(NyashContext *c) {
    struct label *l = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    char *copy = malloc(text.size + 1);
    if (copy == NULL) return nyash_error_memory(c);
    if (text.size > 0) memcpy(copy, text.data, text.size);
    free(l->text);
    l->text = copy;
    l->size = text.size;
    return NYASH_OK;
}

static int32_t method_first(NyashContext *c) {
    const struct label *l = nyash_self(c);
    int64_t n = nyash_arg_i64(c, 0);
    if (n < 0) return nyash_error_arg(c, 0, "wanted 0 or more");
    return nyash_return_string(c, l->size > 0 ? l->text : "", (uint64_t)n < l->size ? (size_t)n : l->size);
}

static void fini(void *state) { free(((struct label *)state)->text); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "set", .call = method_set, .args = {NYASH_ARG("text", NYASH_STRING)}},
    {.id = 2, .name = "first", .call = method_first, .args = {NYASH_ARG("n", NYASH_I64)}, .result = NYASH_STRING},
};
static const NyashBox box = {.name = "Label", .type_id = 733, .state_size = sizeof(struct label), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
