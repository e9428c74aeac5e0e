/* A plugin without a fault, with the C SDK: box Stalls, type 770: what is for sale at a market, and its price. The files
 * that include this one each define one macro in another way. */
#include "nyash.h"
#include <stdlib.h>
#include <string.h>

#define MOST 40
#define NAME 24
#define DEAREST 1000000

#ifndef CHECK_FIRST /* no price is changed where one would be too high */
#define CHECK_FIRST 1
#endif

struct good {
    char name[NAME + 1];
    int64_t price;
};

struct stalls {
    struct good all[MOST];
    size_t count;
};

static struct good *find(struct stalls *s, NyashText name) {
    for (size_t i = 0; i < s->count; i++)
        if (strlen(s->all[i].name) == name.size && memcmp(s->all[i].name, name.data, name.size) == 0) return &s->all[i];
    return NULL;
}

static int32_t offer(NyashContext *c) {
    struct stalls *s = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0);
    int64_t price = nyash_arg_i64(c, 1);
    if (name.size == 0 || name.size > NAME || memchr(name.data, 0, name.size)) return nyash_error_arg(c, 0, "wanted 1 to 24 bytes without NUL");
    if (price < 1 || price > DEAREST) return nyash_error_arg(c, 1, "wanted 1 to 1000000");
    struct good *g = find(s, name);
    if (!g) {
        if (s->count == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d", MOST);
        g = &s->all[s->count++];
        memcpy(g->name, name.data, name.size);
        g->name[name.size] = 0;
    }
    g->price = price;
    return NYASH_OK;
}

static int32_t price(NyashContext *c) {
    const struct good *g = find(nyash_self(c), nyash_arg_string(c, 0));
    if (!g) return nyash_error(c, NYASH_E_PLUGIN, "it is not for sale");
    return nyash_return_i64(c, g->price);
}

static int32_t total(NyashContext *c) {
    const struct stalls *s = nyash_self(c);
    int64_t sum = 0;
    for (size_t i = 0; i < s->count; i++) sum += s->all[i].price;
    return nyash_return_i64(c, sum);
}

static int32_t scale(NyashContext *c) {
    struct stalls *s = nyash_self(c);
    int32_t times = nyash_arg_i32(c, 0);
    if (times < 1 || times > 100) return nyash_error_arg(c, 0, "wanted 1 to 100");
    for (int pass = CHECK_FIRST ? 0 : 1; pass < 2; pass++)
        for (size_t i = 0; i < s->count; i++) {
            int64_t changed = s->all[i].price * times;
            if (changed > DEAREST) return nyash_error(c, NYASH_E_PLUGIN, "the price of %s would be %lld", s->all[i].name, (long long)changed);
            if (pass == 1) s->all[i].price = changed;
        }
    return NYASH_OK;
}

static int32_t cheaper(NyashContext *c) {
    const struct stalls *s = nyash_self(c);
    struct stalls *others = nyash_create(c, NULL);
    int64_t most = nyash_arg_i64(c, 0);
    if (!others) return nyash_error_memory(c);
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i].price <= most) others->all[others->count++] = s->all[i];
    return nyash_return_instance(c, others);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "offer", .call = offer, .args = {{"name", NYASH_STRING}, {"price", NYASH_I64}}, .doc = "Offers something for a price, of 40 things at most. Names have 1 to 24 bytes."},
    {.id = 2, .name = "price", .call = price, .args = {{"name", NYASH_STRING}}, .result = NYASH_I64, .doc = "What something costs."},
    {.id = 3, .name = "total", .call = total, .result = NYASH_I64, .doc = "The sum of all prices."},
    {.id = 4, .name = "scale", .call = scale, .args = {{"times", NYASH_I32}}, .doc = "Multiplies all prices by a number, 1 to 100. Fails where one would be too high."},
    {.id = 5, .name = "cheaper", .call = cheaper, .args = {{"most", NYASH_I64}}, .result = NYASH_HANDLE, .doc = "Another box with the things that cost no more than that."},
};

static const NyashBox stalls = {.name = "Stalls", .type_id = 770, .doc = "Things for sale.", .state_size = sizeof(struct stalls), NYASH_METHODS(methods)};
NYASH_PLUGIN(&stalls)
