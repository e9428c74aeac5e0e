/* A plugin without a fault, with the C SDK: box Kinds, type 767. Kinds are of all instances, and so are the texts of
 * labels. The files that include this one each define one macro in another way. */
#include "nyash.h"
#include <stdlib.h>

#ifndef USE /* one use more of a kind; 0 where there is none */
#define USE(name) use(name)
#endif
#ifndef TAKE /* one owner more of a text that is there */
#define TAKE(text) ((text)->owners++, nyash_unlock(&shared.lock), (text))
#endif
#ifndef TOLD /* a label is answered */
#define TOLD(k) (void)0
#define KEEPS
#define FORGET(k) (void)0
#endif
#ifndef NO_STAMP /* a label cannot be given, for want of memory */
#define NO_STAMP(text) release(text)
#endif
#ifndef UNUSED /* a text has no owner any more */
#define UNUSED(e) take_away(find(&shared.texts, (NyashText){(e)->name, (e)->size}))
#endif
#define MOST_KINDS 200
#define MOST_USED 64 /* by one instance */

struct entry {
    struct entry *next;
    int64_t owners, digits;
    size_t size;
    char name[];
};

static struct {
    NyashMutex lock;
    struct entry *kinds, *texts;
    int64_t count;
} shared = {.lock = NYASH_MUTEX_INIT};

struct kinds {
    struct entry *label;
    struct entry *used[MOST_USED];
    int64_t count;
    int64_t *stamp; /* how often the label was given */
    KEEPS
};

/* Where an entry of a name is, or the end of the list. The lock is held. */
static struct entry **find(struct entry **at, NyashText name) {
    while (*at != NULL && ((*at)->size != name.size || memcmp((*at)->name, name.data, name.size) != 0)) at = &(*at)->next;
    return at;
}

static struct entry *add(struct entry **at, NyashText name) {
    struct entry *e = malloc(sizeof *e + name.size);
    if (e == NULL) return NULL;
    *e = (struct entry){.size = name.size};
    if (name.size > 0) memcpy(e->name, name.data, name.size);
    return *at = e;
}

static void take_away(struct entry **at) {
    struct entry *e = *at;
    *at = e->next;
    free(e);
}

static inline struct entry *use(NyashText name) {
    nyash_lock(&shared.lock);
    struct entry *e = *find(&shared.kinds, name);
    if (e != NULL) e->owners++;
    nyash_unlock(&shared.lock);
    return e;
}

static int32_t define(NyashContext *c) {
    NyashText name = nyash_arg_string(c, 0);
    int32_t digits = nyash_arg_i32(c, 1), code = NYASH_OK;
    for (size_t i = 0; i < name.size; i++) code = name.data[i] < 'A' || name.data[i] > 'Z' ? NYASH_E_INVALID_ARGS : code;
    if (name.size != 3 || code != NYASH_OK || digits < 0 || digits > 9) return nyash_error(c, NYASH_E_INVALID_ARGS, "three capital letters, 0 to 9 digits");
    nyash_lock(&shared.lock);
    struct entry **at = find(&shared.kinds, name);
    if (*at != NULL || shared.count == MOST_KINDS) code = NYASH_E_PLUGIN;
    else if (add(at, name) == NULL) code = NYASH_E_OUT_OF_MEMORY;
    else (*at)->digits = digits, shared.count++;
    nyash_unlock(&shared.lock);
    return code == NYASH_OK ? NYASH_OK : nyash_error(c, code, "there is one, or no room");
}

static int32_t retire(NyashContext *c) {
    nyash_lock(&shared.lock);
    struct entry **at = find(&shared.kinds, nyash_arg_string(c, 0));
    int free_one = *at != NULL && (*at)->owners == 0;
    if (free_one) take_away(at), shared.count--;
    nyash_unlock(&shared.lock);
    return free_one ? NYASH_OK : nyash_error(c, NYASH_E_PLUGIN, "there is none, or it is in use");
}

static int32_t open_one(NyashContext *c) {
    struct kinds *k = nyash_self(c);
    if (k->count == MOST_USED) return nyash_error(c, NYASH_E_PLUGIN, "there are %d", MOST_USED);
    struct entry *e = USE(nyash_arg_string(c, 0));
    if (e == NULL) return nyash_error(c, NYASH_E_PLUGIN, "there is no such kind");
    k->used[k->count++] = e;
    return nyash_return_i64(c, k->count);
}

static int32_t digits(NyashContext *c) {
    nyash_lock(&shared.lock);
    struct entry *e = *find(&shared.kinds, nyash_arg_string(c, 0));
    int64_t n = e != NULL ? e->digits : -1;
    nyash_unlock(&shared.lock);
    return nyash_return_i64(c, n);
}

static void release(struct entry *e) {
    if (e == NULL) return;
    nyash_lock(&shared.lock);
    if (--e->owners == 0) UNUSED(e);
    nyash_unlock(&shared.lock);
}

/* The text with one owner more; NULL where there is no memory. */
static struct entry *intern(NyashText text) {
    nyash_lock(&shared.lock);
    struct entry **at = find(&shared.texts, text), *e = *at;
    if (e != NULL) return TAKE(e);
    if ((e = add(at, text)) != NULL) e->owners = 1;
    nyash_unlock(&shared.lock);
    return e;
}

static int32_t label(NyashContext *c) {
    struct kinds *k = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    if (text.size > 200) return nyash_error(c, NYASH_E_INVALID_ARGS, "at most 200 bytes");
    struct entry *e = intern(text);
    if (e == NULL) return nyash_error_memory(c);
    int64_t *stamp = malloc(sizeof *stamp);
    if (stamp == NULL) {
        NO_STAMP(e);
        return nyash_error_memory(c);
    }
    *stamp = k->stamp != NULL ? *k->stamp + 1 : 1;
    free(k->stamp);
    k->stamp = stamp;
    release(k->label);
    k->label = e;
    return NYASH_OK;
}

static int32_t labelled(NyashContext *c) {
    struct kinds *k = nyash_self(c);
    TOLD(k);
    return k->label == NULL ? nyash_return_string(c, "", 0) : nyash_return_string(c, k->label->name, k->label->size);
}

static int32_t given(NyashContext *c) {
    struct kinds *k = nyash_self(c);
    return nyash_return_i64(c, k->stamp != NULL ? *k->stamp : 0);
}

static int32_t texts(NyashContext *c) {
    int64_t n = 0;
    nyash_lock(&shared.lock);
    for (const struct entry *e = shared.texts; e != NULL; e = e->next) n += e->owners > 0;
    nyash_unlock(&shared.lock);
    return nyash_return_i64(c, n);
}

static void fini(void *state) {
    struct kinds *k = state;
    release(k->label);
    free(k->stamp);
    FORGET(k);
    nyash_lock(&shared.lock);
    for (int64_t i = 0; i < k->count; i++) k->used[i]->owners--;
    nyash_unlock(&shared.lock);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "define", .call = define, .args = {NYASH_ARG("name", NYASH_STRING), NYASH_ARG("digits", NYASH_I32)}, .doc = "Makes a kind, of all instances: three capital letters, and 0 to 9 digits. EUR is there."},
    {.id = 2, .name = "retire", .call = retire, .args = {NYASH_ARG("name", NYASH_STRING)}, .doc = "Takes a kind away, from all instances, that none of them uses, and that is not EUR."},
    {.id = 3, .name = "open", .call = open_one, .args = {NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_I64, .doc = "Uses a kind as long as the instance lives; returns how many it uses."},
    {.id = 4, .name = "digits", .call = digits, .args = {NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_I64, .doc = "The digits of a kind of all instances; -1 for none."},
    {.id = 5, .name = "label", .call = label, .args = {NYASH_ARG("text", NYASH_STRING)}, .doc = "Gives the instance another label of at most 200 bytes."},
    {.id = 6, .name = "labelled", .call = labelled, .result = NYASH_STRING, .limit = 200, .doc = "The label."},
    {.id = 7, .name = "given", .call = given, .result = NYASH_I64, .doc = "How often a label was given to the instance."},
    {.id = 8, .name = "texts", .call = texts, .result = NYASH_I64, .doc = "How many labels all Kinds have that differ."},
};

static const NyashBox kinds = {.name = "Kinds", .type_id = 767, .doc = "Kinds that all instances share, and a label.", .state_size = sizeof(struct kinds), .fini = fini, NYASH_METHODS(methods)};

static int32_t on_init(void) {
    struct entry *e = add(&shared.kinds, (NyashText){"EUR", 3});
    if (e == NULL) return NYASH_E_OUT_OF_MEMORY;
    e->owners = 1; /* it is never retired */
    e->digits = 2;
    shared.count = 1;
    return NYASH_OK;
}

static void on_shutdown(void) {
    while (shared.kinds != NULL) take_away(&shared.kinds);
    while (shared.texts != NULL) take_away(&shared.texts);
    shared.count = 0;
}

NYASH_PLUGIN_WITH(on_init, on_shutdown, &kinds)
