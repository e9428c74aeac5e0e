/* A Bloom filter: what it answers depends on hashes of words, sooner or later. */
#include "nyash.h"

#define BITS 256

struct filter {
    uint8_t bits[BITS];
};

static uint32_t hash(NyashText t, uint32_t h) {
    for (size_t i = 0; i < t.size; i++) h = (h ^ (uint8_t)t.data[i]) * 16777619u;
    return (h ^ h >> 15) % BITS;
}

static int32_t method_add(NyashContext *c) {
    struct filter *f = nyash_self(c);
    NyashText word = nyash_arg_string(c, 0);
    int fresh = 0;
    for (uint32_t n = 1; n <= 3; n++) {
        uint8_t *bit = &f->bits[hash(word, n * 2166136261u)];
        fresh |= *bit == 0;
        *bit = 1;
    }
    return nyash_return_bool(c, fresh);
}

static int32_t method_may_have(NyashContext *c) {
    struct filter *f = nyash_self(c);
    NyashText word = nyash_arg_string(c, 0);
    int has = 1;
    for (uint32_t n = 1; n <= 3; n++) has &= f->bits[hash(word, n * 2166136261u)];
    return nyash_return_bool(c, has);
}

static int32_t method_text(NyashContext *c) {
    struct filter *f = nyash_self(c);
    int64_t from = nyash_arg_i64(c, 0), count = nyash_arg_i64(c, 1);
    char text[BITS];
    if (from < 0 || from > BITS || count < 0 || count > BITS - from) return nyash_error(c, NYASH_E_INVALID_ARGS, "there are %d bits", BITS);
    for (int64_t i = 0; i < count; i++) text[i] = f->bits[from + i] ? '1' : '0';
    return nyash_return_string(c, text, (size_t)count);
}

static int32_t method_count(NyashContext *c) {
    struct filter *f = nyash_self(c);
    int64_t n = 0;
    for (int i = 0; i < BITS; i++) n += f->bits[i];
    return nyash_return_i64(c, n);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("word", NYASH_STRING)}, .result = NYASH_BOOL, .doc = "Adds a word, and tells whether it was certainly not there."},
    {.id = 2, .name = "mayHave", .call = method_may_have, .args = {NYASH_ARG("word", NYASH_STRING)}, .result = NYASH_BOOL, .doc = "Whether a word may have been added."},
    {.id = 3, .name = "text", .call = method_text, .args = {NYASH_ARG("from", NYASH_I64), NYASH_ARG("count", NYASH_I64)}, .result = NYASH_STRING, .doc = "Bits, each as 0 or 1."},
    {.id = 4, .name = "count", .call = method_count, .result = NYASH_I64, .doc = "How many bits are set."},
};
static const NyashBox box = {.name = "Filter", .type_id = 765, .state_size = sizeof(struct filter), .doc = "A filter of words.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
