/* A list of prices by name, in order, with a limit. */
#include "nyash.h"
#include <stdbool.h>
#include <stdlib.h>

#define MOST 6000
#define LONGEST 12

/* The entry before which a name that is read from a dump must come after; 0 for none. */
#ifndef EARLIER
#define EARLIER(p) ((p)->used > 0 ? (p)->used - 1 : 0)
#endif
/* What is kept of the last answer, and looked at before. */
#ifndef KNOWN
#define KNOWN(p, name, price) false
#define KEEP(p, name, price) (void)0
#endif

struct entry {
    char name[LONGEST];
    uint8_t size;
    int64_t price;
};

struct prices {
    struct entry entries[MOST];
    size_t used, limit;
    uint64_t changes;
};

static inline int order(const struct entry *e, NyashText name) {
    size_t n = e->size < name.size ? e->size : name.size;
    int c = memcmp(e->name, name.data, n);
    return c != 0 ? c : (e->size > name.size) - (e->size < name.size);
}

/* The first entry that does not come before a name. */
static size_t place(struct prices *p, NyashText name) {
    size_t from = 0, to = p->used;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (order(&p->entries[middle], name) < 0) from = middle + 1;
        else to = middle;
    }
    return from;
}

static struct entry *find(struct prices *p, NyashText name) {
    size_t at = place(p, name);
    return at < p->used && order(&p->entries[at], name) == 0 ? &p->entries[at] : NULL;
}

static int32_t birth(NyashContext *c) {
    int64_t limit = nyash_arg_i64(c, 0);
    if (limit < 0 || limit > MOST) return nyash_error_arg(c, 0, "there is room for 6,000");
    ((struct prices *)nyash_self(c))->limit = limit == 0 ? MOST : (size_t)limit;
    return NYASH_OK;
}

static int32_t method_put(NyashContext *c) {
    struct prices *p = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0);
    struct entry *e = find(p, name);
    if (name.size == 0 || name.size > LONGEST) return nyash_error_arg(c, 0, "a name has 1 to 12 bytes");
    if (e == NULL && p->used == p->limit) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    if (e == NULL) {
        size_t at = place(p, name);
        e = &p->entries[at];
        memmove(e + 1, e, (p->used++ - at) * sizeof *e);
        memcpy(e->name, name.data, e->size = (uint8_t)name.size);
    }
    e->price = nyash_arg_i64(c, 1);
    p->changes++;
    return nyash_return_void(c);
}

static int32_t method_price(NyashContext *c) {
    struct prices *p = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0);
    int64_t price;
    if (KNOWN(p, name, &price)) return nyash_return_i64(c, price);
    struct entry *e = find(p, name);
    if (e == NULL) return nyash_error(c, NYASH_E_PLUGIN, "it has no price");
    KEEP(p, name, e->price);
    return nyash_return_i64(c, e->price);
}

static int32_t method_used(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct prices *)nyash_self(c))->used); }

/* For each entry the size of its name in one byte, its name and its price. */
static int32_t method_dump(NyashContext *c) {
    struct prices *p = nyash_self(c);
    uint8_t *out = malloc(p->used * (LONGEST + 9) + 1);
    size_t size = 0;
    if (out == NULL) return nyash_error_memory(c);
    for (size_t i = 0; i < p->used; i++) {
        struct entry *e = &p->entries[i];
        out[size++] = e->size;
        memcpy(out + size, e->name, e->size);
        size += e->size;
        memcpy(out + size, &e->price, sizeof e->price);
        size += sizeof e->price;
    }
    int32_t code = size > NYASH_TLV_MAX_PAYLOAD ? nyash_error(c, NYASH_E_PLUGIN, "it is too large to be dumped") : nyash_return_bytes(c, out, size);
    free(out);
    return code;
}

/* Reads a dump; false where it is none. */
static bool read(struct prices *made, size_t limit, NyashBytes dump) {
    size_t at = 0;
    while (at < dump.size) {
        NyashText name = {(const char *)dump.data + at + 1, dump.data[at]};
        struct entry *e = &made->entries[made->used];
        if (made->used == limit || name.size == 0 || name.size > LONGEST || dump.size - at < 1 + name.size + sizeof e->price ||
            nyash_utf8_valid((const uint8_t *)name.data, name.size) < name.size)
            return false;
        for (size_t i = EARLIER(made); i < made->used; i++)
            if (order(&made->entries[i], name) >= 0) return false;
        memcpy(e->name, name.data, e->size = (uint8_t)name.size);
        memcpy(&e->price, dump.data + at + 1 + name.size, sizeof e->price);
        at += 1 + name.size + sizeof e->price;
        made->used++;
    }
    return true;
}

static int32_t method_load(NyashContext *c) {
    struct prices *p = nyash_self(c), *made = malloc(sizeof *made);
    if (made == NULL) return nyash_error_memory(c);
    made->used = 0;
    bool ok = read(made, p->limit, nyash_arg_bytes(c, 0));
    if (ok) {
        memcpy(p->entries, made->entries, made->used * sizeof *p->entries);
        p->used = made->used;
        p->changes++;
    }
    free(made);
    return ok ? nyash_return_i64(c, (int64_t)p->used) : nyash_error_arg(c, 0, "no dump");
}

static const NyashMethod methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = birth, .args = {NYASH_ARG("limit", NYASH_I64)}, .doc = "0 for as much as there can be."},
    {.id = 1, .name = "put", .call = method_put, .args = {NYASH_ARG("name", NYASH_STRING), NYASH_ARG("price", NYASH_I64)}, .result = NYASH_VOID, .doc = "Sets what something costs."},
    {.id = 2, .name = "price", .call = method_price, .args = {NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_I64, .doc = "What it costs."},
    {.id = 3, .name = "used", .call = method_used, .result = NYASH_I64, .doc = "How many prices there are."},
    {.id = 4, .name = "dump", .call = method_dump, .result = NYASH_BYTES, .doc = "All prices, for load."},
    {.id = 5, .name = "load", .call = method_load, .args = {NYASH_ARG("dump", NYASH_BYTES)}, .result = NYASH_I64, .doc = "Takes the prices of a dump."},
};
static const NyashBox box = {.name = "Prices", .type_id = 759, .doc = "Prices by name.", .state_size = sizeof(struct prices), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
