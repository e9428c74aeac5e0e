/* A plugin without a fault whose results look like faults: a number modulo 256 and texts that are
 * cut, as documented; a method that takes the low bits of a number; a try-lock that answers
 * false; and a table that all instances share by name. */
#include "nyash.h"

#define WORDS 40

struct word {
    char text[64];
    size_t size;
    int64_t uses;
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct word table[WORDS];
static size_t words;

struct desk {
    pthread_mutex_t lock, number_lock;
    int64_t offered;
    uint8_t turn;
    char title[40];
    size_t title_size;
};

static int32_t birth(NyashContext *c) {
    struct desk *d = nyash_self(c);
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->number_lock, NULL);
    return NYASH_OK;
}

static void fini(void *self) {
    struct desk *d = self;
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->number_lock);
}

static int32_t offer(NyashContext *c) {
    struct desk *d = nyash_self(c);
    if (pthread_mutex_trylock(&d->lock) != 0) return nyash_return_bool(c, 0);
    d->offered = nyash_arg_i64(c, 0);
    pthread_mutex_unlock(&d->lock);
    return nyash_return_bool(c, 1);
}

static int32_t offered(NyashContext *c) {
    struct desk *d = nyash_self(c);
    int64_t n;
    pthread_mutex_lock(&d->lock);
    n = d->offered;
    pthread_mutex_unlock(&d->lock);
    return nyash_return_i64(c, n);
}

static int32_t turn(NyashContext *c) {
    struct desk *d = nyash_self(c);
    uint8_t n;
    pthread_mutex_lock(&d->number_lock);
    n = ++d->turn;
    pthread_mutex_unlock(&d->number_lock);
    return nyash_return_i64(c, n);
}

static int32_t low(NyashContext *c) { return nyash_return_i64(c, nyash_arg_i64(c, 0) & 0xff); }

static int32_t line(NyashContext *c) {
    NyashText t = nyash_arg_string(c, 0);
    size_t n = 0;
    while (n < t.size && (unsigned char)t.data[n] >= ' ') n++;
    return nyash_return_string(c, t.data, n);
}

static int32_t set_title(NyashContext *c) {
    struct desk *d = nyash_self(c);
    NyashBytes t = nyash_arg_bytes(c, 0);
    pthread_mutex_lock(&d->number_lock);
    d->title_size = t.size < sizeof d->title ? t.size : sizeof d->title;
    if (d->title_size > 0) memcpy(d->title, t.data, d->title_size);
    pthread_mutex_unlock(&d->number_lock);
    return NYASH_OK;
}

static int32_t title(NyashContext *c) {
    struct desk *d = nyash_self(c);
    int32_t code;
    pthread_mutex_lock(&d->number_lock);
    code = nyash_return_bytes(c, d->title, d->title_size);
    pthread_mutex_unlock(&d->number_lock);
    return code;
}

/* With table_lock. */
static struct word *find(NyashText t) {
    for (size_t i = 0; i < words; i++)
        if (table[i].size == t.size && memcmp(table[i].text, t.data, t.size) == 0) return &table[i];
    return NULL;
}

static int32_t use(NyashContext *c) {
    NyashText t = nyash_arg_string(c, 0);
    struct word *w;
    int64_t uses;
    if (t.size > sizeof w->text) return nyash_error_arg(c, 0, "a word of 64 bytes at most");
    pthread_mutex_lock(&table_lock);
    w = find(t);
    if (w == NULL && words < WORDS) {
        w = &table[words++];
        memcpy(w->text, t.data, t.size);
        w->size = t.size;
        w->uses = 0;
    }
    uses = w == NULL ? 0 : ++w->uses;
    pthread_mutex_unlock(&table_lock);
    return uses == 0 ? nyash_error(c, NYASH_E_PLUGIN, "there are too many words") : nyash_return_i64(c, uses);
}

static int32_t uses(NyashContext *c) {
    struct word *w;
    int64_t n;
    pthread_mutex_lock(&table_lock);
    w = find(nyash_arg_string(c, 0));
    n = w == NULL ? 0 : w->uses;
    pthread_mutex_unlock(&table_lock);
    return nyash_return_i64(c, n);
}

static int32_t known(NyashContext *c) {
    int64_t n;
    pthread_mutex_lock(&table_lock);
    n = (int64_t)words;
    pthread_mutex_unlock(&table_lock);
    return nyash_return_i64(c, n);
}

static void down(void) { words = 0; }

static const NyashMethod methods[] = {
    {.id = 0, .name = "birth", .call = birth},
    {.id = 1, .name = "offer", .call = offer, .args = {NYASH_ARG("n", NYASH_I64)}, .result = NYASH_BOOL},
    {.id = 2, .name = "offered", .call = offered, .result = NYASH_I64},
    {.id = 3, .name = "turn", .call = turn, .result = NYASH_I64, .doc = "The number of this turn, modulo 256."},
    {.id = 4, .name = "low", .call = low, .args = {NYASH_ARG("n", NYASH_I64)}, .result = NYASH_I64},
    {.id = 5, .name = "line", .call = line, .args = {NYASH_ARG("text", NYASH_STRING)}, .result = NYASH_STRING},
    {.id = 6, .name = "setTitle", .call = set_title, .args = {NYASH_ARG("title", NYASH_BYTES)}},
    {.id = 7, .name = "title", .call = title, .result = NYASH_BYTES},
    {.id = 8, .name = "use", .call = use, .args = {NYASH_ARG("word", NYASH_STRING)}, .result = NYASH_I64},
    {.id = 9, .name = "uses", .call = uses, .args = {NYASH_ARG("word", NYASH_STRING)}, .result = NYASH_I64},
    {.id = 10, .name = "known", .call = known, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Desk", .type_id = 731, .flags = NYASH_CONCURRENT, .state_size = sizeof(struct desk), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN_WITH(NULL, down, &box)
