/* A plugin without a fault, with the C SDK: box Links, type 733, names and weighted links between them.
 * Most methods need two names that are there, and a link. The files that include this one each define one
 * macro in another way, and so have one fault that shows in such states alone. */
#include "nyash.h"

#define MOST 24   /* names */
#define LONGEST 40 /* bytes of one */
#define RECENT 4  /* weights that a name remembers */

/* What a fault replaces. */
#ifndef LINKS_OF /* how many links go with a name that has so many */
#define LINKS_OF(n) (n)
#endif
#ifndef ON_CHANGE /* what is dropped where the weight of a link changes */
#define ON_CHANGE(l) (l)->known = 0
#endif
#ifndef BEFORE_RESTORE /* what is done before a dump was read */
#define BEFORE_RESTORE(l) (void)(l)
#endif
#ifndef BEFORE_GIVE /* what is done before it is known that the other takes a name */
#define BEFORE_GIVE(l, at) (void)(l)
#endif
#ifndef PLACE /* where the next weight is kept */
#define PLACE(moves) ((moves) % RECENT)
#endif
#ifndef SUM /* the type in which weights are added up */
#define SUM int64_t
#endif
#ifndef ON_CONTRADICTION /* what is released there */
#define ON_CONTRADICTION(p) free(p)
#endif
#ifndef LIST /* where the names are put together that a name is linked to */
#define LIST char list[MOST * (LONGEST + 1)]
#endif

struct name {
    size_t size; /* 0 for none */
    char text[LONGEST];
    int32_t recent[RECENT];
    int64_t moves;
};

struct links {
    struct name names[MOST];
    int32_t weights[MOST][MOST]; /* 0 for no link */
    int64_t count, linked;
    size_t from, to; /* of the weight that was asked for last */
    int known;
    int32_t weight;
};

static int find(const struct links *l, NyashText name) {
    for (int i = 0; i < MOST; i++)
        if (l->names[i].size == name.size && name.size > 0 && memcmp(l->names[i].text, name.data, name.size) == 0) return i;
    return -1;
}

static int put(struct links *l, const char *text, size_t size) {
    for (int i = 0; i < MOST; i++) {
        if (l->names[i].size > 0) continue;
        memset(&l->names[i], 0, sizeof l->names[i]);
        memcpy(l->names[i].text, text, size);
        l->names[i].size = size;
        l->count++;
        return i;
    }
    return -1;
}

static void set(struct links *l, int a, int b, int32_t weight) {
    int known = l->weights[a][b] != 0;
    l->weights[a][b] = l->weights[b][a] = weight;
    for (int i = 0; i < 2; i++) {
        struct name *n = &l->names[i == 0 ? a : b];
        n->recent[PLACE(n->moves)] = weight;
        n->moves++;
    }
    if (!known) {
        l->linked++;
        l->known = 0;
        return;
    }
    ON_CHANGE(l);
}

static int64_t take_away(struct links *l, int at) {
    int64_t n = 0;
    for (int i = 0; i < MOST; i++) {
        n += l->weights[at][i] != 0;
        l->weights[at][i] = l->weights[i][at] = 0;
    }
    l->names[at].size = 0;
    l->count--;
    l->linked -= LINKS_OF(n);
    l->known = 0;
    return n;
}

#define NAME(at, l, c, i)                                      \
    int at = find(l, nyash_arg_string(c, i));                  \
    if (at < 0) return nyash_error_arg(c, i, "there is no such name")

static int32_t method_add(NyashContext *c) {
    struct links *l = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0);
    if (name.size == 0 || name.size > LONGEST) return nyash_error_arg(c, 0, "a name has 1 to 40 bytes");
    if (find(l, name) >= 0) return nyash_return_bool(c, 0);
    if (put(l, name.data, name.size) < 0) return nyash_error(c, NYASH_E_PLUGIN, "there are %d names already", MOST);
    return nyash_return_bool(c, 1);
}

static int32_t method_link(NyashContext *c) {
    struct links *l = nyash_self(c);
    int32_t weight = nyash_arg_i32(c, 2);
    NAME(a, l, c, 0);
    NAME(b, l, c, 1);
    if (a == b) return nyash_error_arg(c, 1, "a name is not linked to itself");
    if (weight < 1) return nyash_error_arg(c, 2, "a weight is 1 or more");
    set(l, a, b, weight);
    return NYASH_OK;
}

static int32_t method_remove(NyashContext *c) {
    struct links *l = nyash_self(c);
    NAME(at, l, c, 0);
    return nyash_return_i64(c, take_away(l, at));
}

static int32_t method_names(NyashContext *c) { return nyash_return_i64(c, ((struct links *)nyash_self(c))->count); }
static int32_t method_linked(NyashContext *c) { return nyash_return_i64(c, ((struct links *)nyash_self(c))->linked); }

static int32_t method_weight(NyashContext *c) {
    struct links *l = nyash_self(c);
    NAME(a, l, c, 0);
    NAME(b, l, c, 1);
    if (!l->known || l->from != (size_t)a || l->to != (size_t)b) {
        l->from = (size_t)a, l->to = (size_t)b;
        l->weight = l->weights[a][b];
        l->known = 1;
    }
    return nyash_return_i64(c, l->weight);
}

static int32_t method_sum(NyashContext *c) {
    struct links *l = nyash_self(c);
    uint64_t sum = 0;
    NAME(at, l, c, 0);
    for (int i = 0; i < MOST; i++) sum += (uint64_t)l->weights[at][i];
    return nyash_return_i64(c, (SUM)sum);
}

static int32_t method_last(NyashContext *c) {
    struct links *l = nyash_self(c);
    NAME(at, l, c, 0);
    if (l->names[at].moves == 0) return nyash_error(c, NYASH_E_PLUGIN, "it was never linked");
    return nyash_return_i64(c, l->names[at].recent[PLACE(l->names[at].moves - 1)]);
}

static int32_t method_list(NyashContext *c) {
    struct links *l = nyash_self(c);
    LIST;
    size_t size = 0;
    NAME(at, l, c, 0);
    for (int i = 0; i < MOST; i++) {
        if (l->weights[at][i] == 0) continue;
        memcpy(list + size, l->names[i].text, l->names[i].size);
        size += l->names[i].size;
        list[size++] = '\n';
    }
    return nyash_return_string(c, list, size);
}

static int32_t method_give(NyashContext *c) {
    struct links *l = nyash_self(c), *other = nyash_arg_instance(c, 1);
    NyashText name = nyash_arg_string(c, 0);
    NAME(at, l, c, 0);
    BEFORE_GIVE(l, at);
    if (other == l) return nyash_error_arg(c, 1, "it has the name already");
    if (find(other, name) >= 0) return nyash_error_arg(c, 1, "it has such a name already");
    if (put(other, name.data, name.size) < 0) return nyash_error(c, NYASH_E_PLUGIN, "there are %d names already", MOST);
    if (l->names[at].size > 0) take_away(l, at);
    return NYASH_OK;
}

static int32_t method_take(NyashContext *c) {
    struct links *l = nyash_self(c), *other = nyash_arg_instance(c, 0), *all = malloc(sizeof *all);
    int at[MOST];
    if (all == NULL) return nyash_error_memory(c);
    *all = *l;
    all->known = 0;
    for (int i = 0; i < MOST; i++) {
        const struct name *n = &other->names[i];
        if (n->size == 0) continue;
        at[i] = find(all, (NyashText){n->text, n->size});
        if (at[i] < 0 && (at[i] = put(all, n->text, n->size)) < 0) {
            free(all);
            return nyash_error(c, NYASH_E_PLUGIN, "there is no room for all names");
        }
    }
    for (int i = 0; i < MOST; i++)
        for (int k = 0; k < i; k++) {
            int32_t weight = other->weights[i][k], have;
            if (weight == 0) continue;
            have = all->weights[at[i]][at[k]];
            if (have != 0 && have != weight) {
                ON_CONTRADICTION(all);
                return nyash_error(c, NYASH_E_PLUGIN, "a link has another weight there");
            }
            if (have == 0) set(all, at[i], at[k], weight);
        }
    *l = *all;
    free(all);
    return NYASH_OK;
}

static int32_t method_copy(NyashContext *c) {
    struct links *copy = nyash_create(c, NULL);
    if (copy == NULL) return nyash_error_memory(c);
    *copy = *(struct links *)nyash_self(c);
    return nyash_return_instance(c, copy);
}

/* Names, links; each name as its size and bytes, and each link as two numbers of names and a weight. */
static int32_t method_dump(NyashContext *c) {
    const struct links *l = nyash_self(c);
    uint8_t *blob = nyash_blob_alloc(8 + MOST * (1 + LONGEST) + MOST * MOST * 6);
    size_t size = 8;
    uint8_t number[MOST], n = 0;
    if (blob == NULL) return nyash_error_memory(c);
    nyash_put_u32(blob, (uint32_t)l->count);
    nyash_put_u32(blob + 4, (uint32_t)l->linked);
    for (int i = 0; i < MOST; i++) {
        if (l->names[i].size == 0) continue;
        number[i] = n++;
        blob[size++] = (uint8_t)l->names[i].size;
        memcpy(blob + size, l->names[i].text, l->names[i].size);
        size += l->names[i].size;
    }
    for (int i = 0; i < MOST; i++)
        for (int k = 0; k < i; k++) {
            if (l->weights[i][k] == 0) continue;
            blob[size++] = number[i];
            blob[size++] = number[k];
            nyash_put_u32(blob + size, (uint32_t)l->weights[i][k]);
            size += 4;
        }
    return nyash_return_blob_owned(c, blob, size);
}

static int32_t method_restore(NyashContext *c) {
    NyashBytes dump = nyash_arg_blob(c, 0);
    struct links *l = nyash_self(c), *all = calloc(1, sizeof *all);
    size_t at = 8;
    uint32_t names, linked;
    if (all == NULL) return nyash_error_memory(c);
    BEFORE_RESTORE(l);
    if (dump.size < 8) goto fail;
    names = nyash_get_u32(dump.data), linked = nyash_get_u32(dump.data + 4);
    if (names > MOST) goto fail;
    for (uint32_t i = 0; i < names; i++) {
        size_t size = at < dump.size ? dump.data[at++] : 0;
        if (size == 0 || size > LONGEST || size > dump.size - at || nyash_utf8_valid(dump.data + at, size) < size) goto fail;
        if (find(all, (NyashText){(const char *)dump.data + at, size}) >= 0) goto fail;
        put(all, (const char *)dump.data + at, size);
        at += size;
    }
    if (dump.size - at != (uint64_t)linked * 6) goto fail;
    for (uint32_t i = 0; i < linked; i++, at += 6) {
        uint8_t a = dump.data[at], b = dump.data[at + 1];
        uint32_t weight = nyash_get_u32(dump.data + at + 2);
        if (a >= names || b >= a || weight < 1 || weight > INT32_MAX || all->weights[a][b] != 0) goto fail;
        set(all, a, b, (int32_t)weight);
    }
    *l = *all;
    free(all);
    return nyash_return_i64(c, l->count);
fail:
    free(all);
    return nyash_error_arg(c, 0, "no dump");
}

#define TEXT(n) NYASH_ARG(n, NYASH_STRING)
static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {TEXT("name")}, .result = NYASH_BOOL},
    {.id = 2, .name = "link", .call = method_link, .args = {TEXT("one"), TEXT("other"), NYASH_ARG("weight", NYASH_I32)}},
    {.id = 3, .name = "remove", .call = method_remove, .args = {TEXT("name")}, .result = NYASH_I64, .doc = "Removes a name with its links; how many these were."},
    {.id = 4, .name = "names", .call = method_names, .result = NYASH_I64},
    {.id = 5, .name = "linked", .call = method_linked, .result = NYASH_I64, .doc = "How many links there are."},
    {.id = 6, .name = "weight", .call = method_weight, .args = {TEXT("one"), TEXT("other")}, .result = NYASH_I64, .doc = "The weight of a link, or 0."},
    {.id = 7, .name = "sum", .call = method_sum, .args = {TEXT("name")}, .result = NYASH_I64, .doc = "The weights of all links of a name."},
    {.id = 8, .name = "last", .call = method_last, .args = {TEXT("name")}, .result = NYASH_I64, .doc = "The last weight that a link of a name was given since it is there."},
    {.id = 9, .name = "list", .call = method_list, .args = {TEXT("name")}, .result = NYASH_STRING, .doc = "The names that a name is linked to."},
    {.id = 10, .name = "give", .call = method_give, .args = {TEXT("name"), NYASH_ARG("to", NYASH_HANDLE)}, .doc = "Moves a name to another instance, without its links."},
    {.id = 11, .name = "take", .call = method_take, .args = {NYASH_ARG("from", NYASH_HANDLE)}, .doc = "Adds what another instance has."},
    {.id = 12, .name = "copy", .call = method_copy, .result = NYASH_HANDLE},
    {.id = 13, .name = "dump", .call = method_dump, .result = NYASH_BLOB, .doc = "All names and links."},
    {.id = 14, .name = "restore", .call = method_restore, .args = {NYASH_ARG("dump", NYASH_BLOB)}, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Links", .type_id = 733, .doc = "Names and weighted links.", .state_size = sizeof(struct links), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
