/* A plugin without a fault, with the C SDK: box Words, type 740, words by name, which copies share until one of
 * them changes. The files that include this one each define one macro in another way, and so have one fault that two
 * instances show. */
#include "nyash.h"

#define MOST 32
#ifndef LONGEST
#define LONGEST 200
#endif

/* What a fault replaces. */
#ifndef NAME_SIZE /* the type of a name's size */
#define NAME_SIZE size_t
#endif
#ifndef MAY_CHANGE /* whether the word may be written over */
#define MAY_CHANGE(w) (__atomic_load_n(&(w)->users, __ATOMIC_ACQUIRE) == 1)
#endif
#ifndef ON_ABSORB /* what is forgotten where words were taken over */
#define ON_ABSORB(w) (w)->known = 0
#endif

struct word {
    int users;
    size_t size;
    char text[LONGEST];
};

struct entry {
    NAME_SIZE size; /* 0 for none */
    char name[LONGEST];
    struct word *word;
};

struct words {
    struct entry all[MOST];
    int64_t used;
    int known; /* the length */
    int64_t length;
};

static struct entry *find(struct words *w, NyashText name) {
    for (int i = 0; i < MOST; i++)
        if (w->all[i].size == name.size && name.size > 0 && memcmp(w->all[i].name, name.data, name.size) == 0) return &w->all[i];
    return NULL;
}

static struct entry *empty(struct words *w) {
    for (int i = 0; i < MOST; i++)
        if (w->all[i].size == 0) return &w->all[i];
    return NULL;
}

static void drop(struct words *w, struct entry *e) {
    if (__atomic_sub_fetch(&e->word->users, 1, __ATOMIC_ACQ_REL) == 0) free(e->word);
    e->word = NULL;
    e->size = 0;
    w->used--;
    w->known = 0;
}

static void add(struct words *w, struct entry *e, NyashText name, struct word *word) {
    memcpy(e->name, name.data, name.size);
    e->size = (NAME_SIZE)name.size;
    e->word = word;
    w->used++;
}

static int32_t method_set(NyashContext *c) {
    struct words *w = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0), text = nyash_arg_string(c, 1);
    struct entry *e = find(w, name);
    struct word *word;
    if (name.size == 0 || name.size > LONGEST) return nyash_error_arg(c, 0, "that is no name");
    if (text.size > LONGEST) return nyash_error_arg(c, 1, "that is no word");
    if (e == NULL && (e = empty(w)) == NULL) return nyash_error(c, NYASH_E_PLUGIN, "there are %d words already", MOST);
    if (e->size > 0 && e->word->size == text.size && MAY_CHANGE(e->word)) {
        if (text.size > 0) memcpy(e->word->text, text.data, text.size);
        return NYASH_OK;
    }
    word = calloc(1, sizeof *word);
    if (word == NULL) return nyash_error_memory(c);
    word->users = 1;
    word->size = text.size;
    if (text.size > 0) memcpy(word->text, text.data, text.size);
    if (e->size > 0) drop(w, e);
    add(w, e, name, word);
    w->known = 0;
    return NYASH_OK;
}

static int32_t method_get(NyashContext *c) {
    struct entry *e = find(nyash_self(c), nyash_arg_string(c, 0));
    if (e == NULL) return nyash_error_arg(c, 0, "there is no such word");
    return nyash_return_string(c, e->word->text, e->word->size);
}

static int32_t method_unset(NyashContext *c) {
    struct words *w = nyash_self(c);
    struct entry *e = find(w, nyash_arg_string(c, 0));
    if (e == NULL) return nyash_return_bool(c, 0);
    drop(w, e);
    return nyash_return_bool(c, 1);
}

static int32_t method_used(NyashContext *c) { return nyash_return_i64(c, ((struct words *)nyash_self(c))->used); }

static int32_t method_length(NyashContext *c) {
    struct words *w = nyash_self(c);
    if (!w->known) {
        w->length = 0;
        for (int i = 0; i < MOST; i++)
            if (w->all[i].size > 0) w->length += (int64_t)w->all[i].word->size;
        w->known = 1;
    }
    return nyash_return_i64(c, w->length);
}

static int64_t take(struct words *w, const struct words *other) {
    int64_t n = 0;
    for (int i = 0; i < MOST; i++) {
        const struct entry *from = &other->all[i];
        NyashText name = {from->name, from->size};
        struct entry *to;
        if (from->size == 0 || find(w, name) != NULL || (to = empty(w)) == NULL) continue;
        (void)__atomic_add_fetch(&from->word->users, 1, __ATOMIC_RELAXED);
        add(w, to, name, from->word);
        n++;
    }
    return n;
}

static int32_t method_absorb(NyashContext *c) {
    struct words *w = nyash_self(c);
    int64_t n = take(w, nyash_arg_instance(c, 0));
    ON_ABSORB(w);
    return nyash_return_i64(c, n);
}

static int32_t method_copy(NyashContext *c) {
    struct words *copy = nyash_create(c, NULL);
    if (copy == NULL) return nyash_error_memory(c);
    take(copy, nyash_self(c));
    return nyash_return_instance(c, copy);
}

static void fini(void *self) {
    struct words *w = self;
    for (int i = 0; i < MOST; i++)
        if (w->all[i].size > 0) drop(w, &w->all[i]);
}

#define TEXT(n) NYASH_ARG(n, NYASH_STRING)
static const NyashMethod methods[] = {
    {.id = 1, .name = "set", .call = method_set, .args = {TEXT("name"), TEXT("word")}},
    {.id = 2, .name = "get", .call = method_get, .args = {TEXT("name")}, .result = NYASH_STRING},
    {.id = 3, .name = "unset", .call = method_unset, .args = {TEXT("name")}, .result = NYASH_BOOL, .doc = "Whether there was one."},
    {.id = 4, .name = "used", .call = method_used, .result = NYASH_I64, .doc = "How many words there are."},
    {.id = 5, .name = "length", .call = method_length, .result = NYASH_I64, .doc = "The bytes of all words."},
    {.id = 6, .name = "absorb", .call = method_absorb, .args = {NYASH_ARG("other", NYASH_HANDLE)}, .result = NYASH_I64, .doc = "Takes over what has no word here yet; how many."},
    {.id = 7, .name = "copy", .call = method_copy, .result = NYASH_HANDLE},
};
static const NyashBox box = {.name = "Words", .type_id = 740, .state_size = sizeof(struct words), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
