/* How often tags were counted, which takes over the counts of another one. */
#include <stdbool.h>
#include <string.h>
#include "nyash.h"

#define MOST_TAGS 64

struct tag {
    char name[32];
    size_t size;
    int64_t count;
};

struct tags {
    struct tag all[MOST_TAGS];
    size_t size;
    int64_t total;
};

static struct tag *find(struct tags *t, const char *name, size_t size) {
    for (size_t i = 0; i < t->size; i++)
        if (t->all[i].size == size && memcmp(t->all[i].name, name, size) == 0) return &t->all[i];
    return NULL;
}

static bool add(struct tags *t, const char *name, size_t size, int64_t count) {
    struct tag *at = find(t, name, size);
    if (t->total > INT64_MAX - count) return false;
    if (at == NULL) {
        if (t->size == MOST_TAGS) return false;
        at = &t->all[t->size++];
        memcpy(at->name, name, size);
        at->size = size;
    }
    at->count += count;
    t->total += count;
    return true;
}

#ifndef FITS
static bool fits(struct tags *t, const struct tags *other) {
    size_t more = 0;
    for (size_t i = 0; i < other->size; i++) more += find(t, other->all[i].name, other->all[i].size) == NULL;
    return t->size + more <= MOST_TAGS && t->total <= INT64_MAX - other->total;
}
#define FITS(t, other) fits(t, other)
#endif

static int32_t method_add(NyashContext *c) {
    const NyashText name = nyash_arg_string(c, 0);
    const int64_t count = nyash_arg_i64(c, 1);
    if (name.size == 0 || name.size > sizeof((struct tag *)0)->name) return nyash_error_arg(c, 0, "1 to 32 bytes");
    if (count < 1) return nyash_error_arg(c, 1, "at least 1");
    if (!add(nyash_self(c), name.data, name.size, count)) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    return nyash_return_void(c);
}

static int32_t method_merge(NyashContext *c) {
    struct tags *t = nyash_self(c);
    const struct tags *other = nyash_arg_instance(c, 0);
    const struct tags was = *other; /* which may be t */
    if (!FITS(t, &was)) return nyash_error(c, NYASH_E_PLUGIN, "they do not fit");
    for (size_t i = 0; i < was.size; i++)
        if (!add(t, was.all[i].name, was.all[i].size, was.all[i].count)) return nyash_error(c, NYASH_E_PLUGIN, "they do not fit");
    return nyash_return_void(c);
}

static int32_t method_count(NyashContext *c) {
    const NyashText name = nyash_arg_string(c, 0);
    const struct tag *at = find(nyash_self(c), name.data, name.size);
    return nyash_return_i64(c, at == NULL ? 0 : at->count);
}

static int32_t method_total(NyashContext *c) { return nyash_return_i64(c, ((struct tags *)nyash_self(c))->total); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("tag", NYASH_STRING), NYASH_ARG("count", NYASH_I64)}, .result = NYASH_VOID, .doc = "Counts a tag of 1 to 32 bytes so often; there are up to 64."},
    {.id = 2, .name = "merge", .call = method_merge, .args = {NYASH_ARG("other", NYASH_HANDLE)}, .result = NYASH_VOID, .doc = "Adds the counts of another one."},
    {.id = 3, .name = "count", .call = method_count, .args = {NYASH_ARG("tag", NYASH_STRING)}, .result = NYASH_I64, .doc = "How often a tag was counted."},
    {.id = 4, .name = "total", .call = method_total, .result = NYASH_I64, .doc = "The sum of all counts."},
};
static const NyashBox box = {.name = "Tags", .type_id = 776, .state_size = sizeof(struct tags), .doc = "Counts of tags.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
