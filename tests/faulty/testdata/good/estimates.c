/* What it answers of the texts that it was given is an estimate, of hashes, and a draw is of chance. */
#include "nyash.h"
#include <sys/random.h>

struct sketch {
    uint64_t filter;
    int64_t added;
};

static uint64_t hash(NyashText text) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < text.size; i++) h = (h ^ (uint8_t)text.data[i]) * 1099511628211u;
    return h ^ h >> 29;
}

static uint64_t bits_of(NyashText text) {
    uint64_t h = hash(text);
    return (uint64_t)1 << (h & 63) | (uint64_t)1 << (h >> 6 & 63) | (uint64_t)1 << (h >> 12 & 63);
}

static int32_t method_add(NyashContext *c) {
    struct sketch *s = nyash_self(c);
    s->filter |= bits_of(nyash_arg_string(c, 0));
    s->added++;
    return NYASH_OK;
}

static int32_t method_may_have(NyashContext *c) {
    struct sketch *s = nyash_self(c);
    uint64_t bits = bits_of(nyash_arg_string(c, 0));
    return nyash_return_bool(c, (s->filter & bits) == bits);
}

static int64_t filled(const struct sketch *s) {
    int64_t n = 0;
    for (uint64_t rest = s->filter; rest != 0; rest &= rest - 1) n++;
    return n;
}

static int32_t method_fill(NyashContext *c) { return nyash_return_i64(c, filled(nyash_self(c))); }

static int32_t method_distinct(NyashContext *c) {
    struct sketch *s = nyash_self(c);
    int64_t n = filled(s);
    return nyash_return_i64(c, n < 60 ? n / 3 + n * n / 300 : s->added);
}

static int32_t method_draw(NyashContext *c) {
    uint8_t byte;
    if (getrandom(&byte, 1, 0) != 1) return nyash_error(c, NYASH_E_PLUGIN, "there is no chance");
    if (byte == 0) return nyash_error(c, NYASH_E_PLUGIN, "nothing was drawn");
    return byte < 128 ? nyash_return_string(c, "low", 3) : nyash_return_string(c, "high", 4);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("text", NYASH_STRING)}},
    {.id = 2, .name = "mayHave", .call = method_may_have, .args = {NYASH_ARG("text", NYASH_STRING)}, .result = NYASH_BOOL},
    {.id = 3, .name = "fill", .call = method_fill, .result = NYASH_I64, .doc = "How many bits are set."},
    {.id = 4, .name = "distinct", .call = method_distinct, .result = NYASH_I64, .doc = "About how many different texts there were."},
    {.id = 5, .name = "draw", .call = method_draw, .result = NYASH_STRING},
};
static const NyashBox box = {.name = "Sketch", .type_id = 742, .state_size = sizeof(struct sketch), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
