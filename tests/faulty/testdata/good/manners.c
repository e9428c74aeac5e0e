/* Boxes without a fault that do what is one elsewhere: Pace, whose answers follow the clock; Hall, in which all
 * members meet; Door, which counts wrong tries; Title, whose titles have a normal form; Starts, which counts the
 * lives of the library; Numbers, which cuts long words; and Stash, which shows bytes as text. */
#include <time.h>
#include "nyash.h"

/* Pace */

#define BURST 3.0

struct pace {
    double tokens, last; /* last in milliseconds */
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int32_t pace_birth(NyashContext *c) {
    struct pace *p = nyash_self(c);
    p->tokens = BURST;
    p->last = now();
    return NYASH_OK;
}

static void refill(struct pace *p) {
    double time = now();
    p->tokens += time - p->last;
    p->last = time;
    if (p->tokens > BURST) p->tokens = BURST;
}

static int32_t allow(NyashContext *c) {
    struct pace *p = nyash_self(c);
    refill(p);
    if (p->tokens < 1) return nyash_return_bool(c, 0);
    p->tokens -= 1;
    return nyash_return_bool(c, 1);
}

static int32_t left(NyashContext *c) {
    struct pace *p = nyash_self(c);
    refill(p);
    return nyash_return_i64(c, (int64_t)p->tokens);
}

static const NyashMethod pace_methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = pace_birth},
    {.id = 1, .name = "allow", .call = allow, .result = NYASH_BOOL, .doc = "Takes a token; false where there is none."},
    {.id = 2, .name = "left", .call = left, .result = NYASH_I64, .doc = "How many tokens there are."},
};
static const NyashBox pace = {.name = "Pace", .type_id = 745, .state_size = sizeof(struct pace), .doc = "A burst of three, and one each millisecond.", NYASH_METHODS(pace_methods)};

/* Hall */

#define HEARD 64

static pthread_mutex_t hall_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t said[HEARD], count;

struct member {
    int64_t next;
};

static int32_t hall_birth(NyashContext *c) {
    struct member *m = nyash_self(c);
    pthread_mutex_lock(&hall_lock);
    m->next = count;
    pthread_mutex_unlock(&hall_lock);
    return NYASH_OK;
}

static int32_t say(NyashContext *c) {
    pthread_mutex_lock(&hall_lock);
    said[count++ % HEARD] = nyash_arg_i64(c, 0);
    pthread_mutex_unlock(&hall_lock);
    return NYASH_OK;
}

static int32_t hear(NyashContext *c) {
    struct member *m = nyash_self(c);
    int64_t n = 0;
    pthread_mutex_lock(&hall_lock);
    if (count - m->next > HEARD) m->next = count - HEARD;
    if (m->next < count) n = said[m->next++ % HEARD];
    pthread_mutex_unlock(&hall_lock);
    return nyash_return_i64(c, n);
}

static int32_t waiting(NyashContext *c) {
    struct member *m = nyash_self(c);
    int64_t n;
    pthread_mutex_lock(&hall_lock);
    n = count - m->next > HEARD ? HEARD : count - m->next;
    pthread_mutex_unlock(&hall_lock);
    return nyash_return_i64(c, n);
}

static const NyashMethod hall_methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = hall_birth},
    {.id = 1, .name = "say", .call = say, .args = {NYASH_ARG("number", NYASH_I64)}},
    {.id = 2, .name = "hear", .call = hear, .result = NYASH_I64, .doc = "The next number, or 0."},
    {.id = 3, .name = "waiting", .call = waiting, .result = NYASH_I64},
};
static const NyashBox hall = {.name = "Hall", .type_id = 746, .flags = NYASH_CONCURRENT, .state_size = sizeof(struct member), .doc = "There is one hall, which all members share: what one says, all others hear.", NYASH_METHODS(hall_methods)};

/* Door */

struct door {
    int tries, locked;
};

static int32_t enter(NyashContext *c) {
    struct door *d = nyash_self(c);
    if (d->locked) return nyash_error(c, NYASH_E_PLUGIN, "the door is locked");
    if (nyash_arg_i64(c, 0) != 3) {
        d->locked = ++d->tries == 3;
        return nyash_error_arg(c, 0, "that is not the number");
    }
    d->tries = 0;
    return NYASH_OK;
}

static int32_t remaining(NyashContext *c) { return nyash_return_i64(c, 3 - ((struct door *)nyash_self(c))->tries); }

static const NyashMethod door_methods[] = {
    {.id = 1, .name = "enter", .call = enter, .args = {NYASH_ARG("number", NYASH_I64)}, .doc = "A wrong number counts as a try, and the third one locks the door."},
    {.id = 2, .name = "remaining", .call = remaining, .result = NYASH_I64},
};
static const NyashBox door = {.name = "Door", .type_id = 747, .state_size = sizeof(struct door), NYASH_METHODS(door_methods)};

/* Title */

#define LONGEST 40

struct title {
    char text[LONGEST];
    size_t size;
};

static int32_t set(NyashContext *c) {
    struct title *t = nyash_self(c);
    NyashBytes text = nyash_arg_bytes(c, 0);
    t->size = text.size < LONGEST ? text.size : LONGEST;
    for (size_t i = 0; i < t->size; i++) t->text[i] = text.data[i] >= 'A' && text.data[i] <= 'Z' ? (char)(text.data[i] + 32) : (char)text.data[i];
    return NYASH_OK;
}

static int32_t is(NyashContext *c) {
    struct title *t = nyash_self(c);
    NyashBytes text = nyash_arg_bytes(c, 0);
    size_t size = text.size < LONGEST ? text.size : LONGEST;
    return nyash_return_bool(c, size == t->size && (size == 0 || memcmp(t->text, text.data, size) == 0));
}

static const NyashMethod title_methods[] = {
    {.id = 1, .name = "set", .call = set, .args = {NYASH_ARG("title", NYASH_BYTES)}, .doc = "In its normal form."},
    {.id = 2, .name = "is", .call = is, .args = {NYASH_ARG("title", NYASH_BYTES)}, .result = NYASH_BOOL, .doc = "Whether that is the normal form of the title."},
};
static const NyashBox titles = {.name = "Title", .type_id = 748, .state_size = sizeof(struct title), NYASH_METHODS(title_methods)};

/* Starts */

static int64_t starts;

static int32_t method_starts(NyashContext *c) { return nyash_return_i64(c, starts); }

static const NyashMethod start_methods[] = {
    {.id = 1, .name = "starts", .call = method_starts, .result = NYASH_I64, .doc = "How often the library was started in this process."},
};
static const NyashBox start = {.name = "Starts", .type_id = 749, .flags = NYASH_SINGLETON, NYASH_METHODS(start_methods)};

/* Numbers */

#define WORDS 32
#define WORD 64

struct numbers {
    char all[WORDS][WORD];
    size_t sizes[WORDS];
    int64_t count;
};

static int64_t number_of(const struct numbers *n, const char *word, size_t size) {
    if (size > WORD) size = WORD;
    for (int64_t i = 0; i < n->count; i++)
        if (n->sizes[i] == size && memcmp(n->all[i], word, size) == 0) return i;
    return -1;
}

static size_t word_at(NyashBytes text, size_t at) {
    size_t end = at;
    while (end < text.size && text.data[end] != ' ') end++;
    return end - at;
}

static int32_t feed(NyashContext *c) {
    struct numbers *n = nyash_self(c);
    NyashBytes text = nyash_arg_bytes(c, 0);
    int64_t fed = 0;
    for (size_t at = 0, size; at < text.size; at += size + 1) {
        size = word_at(text, at);
        if (size == 0) continue;
        fed++;
        if (number_of(n, (const char *)text.data + at, size) >= 0 || n->count == WORDS) continue;
        n->sizes[n->count] = size < WORD ? size : WORD;
        memcpy(n->all[n->count], text.data + at, n->sizes[n->count]);
        n->count++;
    }
    return nyash_return_i64(c, fed);
}

static int32_t number(NyashContext *c) {
    NyashBytes word = nyash_arg_bytes(c, 0);
    return nyash_return_i64(c, number_of(nyash_self(c), (const char *)word.data, word_at(word, 0)));
}

static int32_t words(NyashContext *c) {
    struct numbers *n = nyash_self(c);
    char all[WORDS * (WORD + 1)];
    size_t size = 0;
    for (int64_t i = 0; i < n->count; i++) {
        memcpy(all + size, n->all[i], n->sizes[i]);
        size += n->sizes[i];
        all[size++] = ' ';
    }
    return nyash_return_bytes(c, all, size);
}

static const NyashMethod number_methods[] = {
    {.id = 1, .name = "feed", .call = feed, .args = {NYASH_ARG("text", NYASH_BYTES)}, .result = NYASH_I64},
    {.id = 2, .name = "number", .call = number, .args = {NYASH_ARG("word", NYASH_BYTES)}, .result = NYASH_I64},
    {.id = 3, .name = "words", .call = words, .result = NYASH_BYTES},
};
static const NyashBox numbers = {.name = "Numbers", .type_id = 751, .state_size = sizeof(struct numbers), NYASH_METHODS(number_methods)};

/* Stash */

#define PLACES 16
#define SIZE 300

struct stash {
    struct {
        size_t key_size, size;
        char key[SIZE], data[SIZE];
    } all[PLACES];
    int count;
};

static int place_of(const struct stash *s, NyashBytes key) {
    for (int i = 0; i < s->count; i++)
        if (s->all[i].key_size == key.size && (key.size == 0 || memcmp(s->all[i].key, key.data, key.size) == 0)) return i;
    return -1;
}

static int32_t stash_put(NyashContext *c) {
    struct stash *s = nyash_self(c);
    NyashBytes key = nyash_arg_bytes(c, 0), data = nyash_arg_bytes(c, 1);
    int i = place_of(s, key), had = i >= 0;
    if (key.size > SIZE || data.size > SIZE) return nyash_error(c, NYASH_E_PLUGIN, "no more than %d bytes", SIZE);
    if (!had && s->count == PLACES) return nyash_error(c, NYASH_E_PLUGIN, "the stash is full");
    if (!had) i = s->count++;
    s->all[i].key_size = key.size;
    s->all[i].size = data.size;
    if (key.size > 0) memcpy(s->all[i].key, key.data, key.size);
    if (data.size > 0) memcpy(s->all[i].data, data.data, data.size);
    return nyash_return_bool(c, had);
}

static int32_t stash_get(NyashContext *c) {
    struct stash *s = nyash_self(c);
    int i = place_of(s, nyash_arg_bytes(c, 0));
    if (i < 0) return nyash_error_arg(c, 0, "nothing has that key");
    return nyash_return_bytes(c, s->all[i].data, s->all[i].size);
}

static int32_t preview(NyashContext *c) {
    struct stash *s = nyash_self(c);
    char text[SIZE];
    int i = place_of(s, nyash_arg_bytes(c, 0));
    if (i < 0) return nyash_error_arg(c, 0, "nothing has that key");
    for (size_t k = 0; k < s->all[i].size; k++) text[k] = (unsigned char)s->all[i].data[k] < 128 ? s->all[i].data[k] : '?';
    return nyash_return_string(c, text, s->all[i].size);
}

static const NyashMethod stash_methods[] = {
    {.id = 1, .name = "put", .call = stash_put, .args = {NYASH_ARG("key", NYASH_BYTES), NYASH_ARG("data", NYASH_BYTES)}, .result = NYASH_BOOL},
    {.id = 2, .name = "get", .call = stash_get, .args = {NYASH_ARG("key", NYASH_BYTES)}, .result = NYASH_BYTES},
    {.id = 3, .name = "preview", .call = preview, .args = {NYASH_ARG("key", NYASH_BYTES)}, .result = NYASH_STRING},
};
static const NyashBox stash = {.name = "Stash", .type_id = 752, .state_size = sizeof(struct stash), NYASH_METHODS(stash_methods)};

static int32_t up(void) {
    starts++;
    count = 0;
    return NYASH_OK;
}

NYASH_PLUGIN_WITH(up, NULL, &pace, &hall, &door, &titles, &start, &numbers, &stash)
