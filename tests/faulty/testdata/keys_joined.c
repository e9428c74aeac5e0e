/* Two keys are kept as one text, the second behind the first: "ab", "c" is "a", "bc". */
// want: value-damaged Shelves.count
// explore
#include "nyash.h"

#define MOST 200
#define LONGEST 120

struct entry {
    size_t size;
    char key[2 * LONGEST];
    int64_t count;
};

struct shelves {
    struct entry all[MOST];
    size_t used;
};

static struct entry *find(struct shelves *s, const char *key, size_t size) {
    for (size_t i = 0; i < s->used; i++)
        if (s->all[i].size == size && memcmp(s->all[i].key, key, size) == 0) return &s->all[i];
    return NULL;
}

/* The size of the key; 0 for one that is too long. */
static size_t key_of(NyashContext *c, char *key) {
    NyashText shelf = nyash_arg_string(c, 0), name = nyash_arg_string(c, 1);
    if (shelf.size > LONGEST || name.size > LONGEST) return 0;
    if (shelf.size > 0) memcpy(key, shelf.data, shelf.size);
    if (name.size > 0) memcpy(key + shelf.size, name.data, name.size);
    return shelf.size + name.size;
}

static int32_t method_put(NyashContext *c) {
    struct shelves *s = nyash_self(c);
    char key[2 * LONGEST];
    size_t size = key_of(c, key);
    struct entry *e;
    if (size == 0) return nyash_error_arg(c, 0, "a shelf and a name have up to 120 bytes, and not both none");
    e = find(s, key, size);
    if (e == NULL) {
        if (s->used == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d entries already", MOST);
        e = &s->all[s->used++];
        memcpy(e->key, key, size);
        e->size = size;
    }
    e->count = nyash_arg_i32(c, 2);
    return NYASH_OK;
}

static int32_t method_count(NyashContext *c) {
    char key[2 * LONGEST];
    size_t size = key_of(c, key);
    struct entry *e = size == 0 ? NULL : find(nyash_self(c), key, size);
    return nyash_return_i64(c, e == NULL ? 0 : e->count);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "put", .call = method_put, .args = {NYASH_ARG("shelf", NYASH_STRING), NYASH_ARG("name", NYASH_STRING), NYASH_ARG("count", NYASH_I32)}, .doc = "How many lie there."},
    {.id = 2, .name = "count", .call = method_count, .args = {NYASH_ARG("shelf", NYASH_STRING), NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Shelves", .type_id = 735, .state_size = sizeof(struct shelves), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
