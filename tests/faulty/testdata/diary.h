/* A titled diary: notes at minutes, each under a name, with hours that are added up. */
#include "nyash.h"
#include <stdbool.h>

#define MOST 40
#define LONGEST 200
#define SHOWN 30
#define DAY 1440
#define FURTHEST (INT64_MAX / 4)

/* Whether there is no such day. */
#ifndef NO_DAY
#define NO_DAY(n) ((n) < -FURTHEST / DAY || (n) > FURTHEST / DAY)
#endif
/* How many bytes of a title are shown. */
#ifndef CUT
#define CUT(text, size) whole(text, size)
#endif
/* A minute as it is in a dump. */
#ifndef MINUTE
#define MINUTE int64_t
#endif
/* What is done before it is known that the hours fit. */
#ifndef EARLY
#define EARLY(d, name) (void)0
#endif

struct text {
    char data[LONGEST];
    size_t size;
};

struct note {
    struct text name;
    int64_t at, hours;
};

struct diary {
    struct text title;
    struct note notes[MOST];
    size_t used;
    int64_t hours;
};

/* So many bytes of a text that no character is cut. */
static inline size_t whole(const char *text, size_t size) {
    while (size > 0 && (text[size] & 0xC0) == 0x80) size--;
    return size;
}

static bool keep(struct text *to, NyashText from) {
    if (from.size > LONGEST) return false;
    if (from.size > 0) memcpy(to->data, from.data, from.size);
    to->size = from.size;
    return true;
}

static struct note *find(struct diary *d, NyashText name) {
    for (size_t i = 0; i < d->used; i++)
        if (d->notes[i].name.size == name.size && memcmp(d->notes[i].name.data, name.data, name.size) == 0) return &d->notes[i];
    return NULL;
}

static int32_t birth(NyashContext *c) {
    if (!keep(&((struct diary *)nyash_self(c))->title, nyash_arg_string(c, 0))) return nyash_error_arg(c, 0, "a title has at most 200 bytes");
    return NYASH_OK;
}

static int32_t method_add(NyashContext *c) {
    struct diary *d = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0);
    int64_t at = nyash_arg_i64(c, 1), hours = nyash_arg_i64(c, 2), all;
    struct note *n = find(d, name);
    if (name.size == 0 || name.size > LONGEST) return nyash_error_arg(c, 0, "a name has 1 to 200 bytes");
    if (at < -FURTHEST || at > FURTHEST) return nyash_error_arg(c, 1, "there is no such time");
    if (hours < 0) return nyash_error_arg(c, 2, "hours are not negative");
    if (n == NULL && d->used == MOST) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    EARLY(d, name);
    if (__builtin_add_overflow(d->hours, hours, &all)) return nyash_error(c, NYASH_E_PLUGIN, "so many hours do not fit");
    if (n == NULL) {
        n = find(d, name);
        if (n == NULL) n = &d->notes[d->used++];
        keep(&n->name, name);
        n->hours = 0;
    }
    n->at = at;
    n->hours += hours;
    d->hours = all;
    return nyash_return_i64(c, d->hours);
}

static int32_t method_day(NyashContext *c) {
    struct diary *d = nyash_self(c);
    int64_t n = nyash_arg_i64(c, 0), from;
    char out[MOST * (LONGEST + 1)];
    size_t size = 0;
    if (NO_DAY(n)) return nyash_error_arg(c, 0, "there is no such day");
    from = (int64_t)((uint64_t)n * DAY);
    for (size_t i = 0; i < d->used; i++) {
        struct note *note = &d->notes[i];
        if (note->at < from || note->at - from >= DAY) continue;
        memcpy(out + size, note->name.data, note->name.size);
        size += note->name.size;
        out[size++] = '\n';
    }
    return nyash_return_string(c, out, size);
}

static int32_t method_title(NyashContext *c) {
    struct diary *d = nyash_self(c);
    size_t size = d->title.size > SHOWN ? CUT(d->title.data, SHOWN) : d->title.size;
    return nyash_return_string(c, d->title.data, size);
}

static int32_t method_hours(NyashContext *c) { return nyash_return_i64(c, ((struct diary *)nyash_self(c))->hours); }
static int32_t method_used(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct diary *)nyash_self(c))->used); }

/* For each note the size of its name in one byte, its name, its minute and its hours. */
static int32_t method_dump(NyashContext *c) {
    struct diary *d = nyash_self(c);
    char out[MOST * (LONGEST + 17)];
    size_t size = 0;
    for (size_t i = 0; i < d->used; i++) {
        struct note *n = &d->notes[i];
        MINUTE at = (MINUTE)n->at;
        out[size++] = (char)n->name.size;
        memcpy(out + size, n->name.data, n->name.size);
        size += n->name.size;
        memcpy(out + size, &at, sizeof at);
        size += sizeof at;
        memcpy(out + size, &n->hours, sizeof n->hours);
        size += sizeof n->hours;
    }
    return nyash_return_bytes(c, out, size);
}

static int32_t method_load(NyashContext *c) {
    struct diary *d = nyash_self(c), made = {.title = d->title};
    NyashBytes dump = nyash_arg_bytes(c, 0);
    size_t at = 0;
    while (at < dump.size) {
        NyashText name = {(const char *)dump.data + at + 1, dump.data[at]};
        struct note *n = &made.notes[made.used];
        MINUTE minute;
        if (made.used == MOST || name.size == 0 || dump.size - at < 1 + name.size + sizeof minute + sizeof n->hours ||
            nyash_utf8_valid((const uint8_t *)name.data, name.size) < name.size || find(&made, name) != NULL || !keep(&n->name, name))
            return nyash_error_arg(c, 0, "no dump");
        at += 1 + name.size;
        memcpy(&minute, dump.data + at, sizeof minute);
        n->at = (int64_t)minute;
        memcpy(&n->hours, dump.data + at + sizeof minute, sizeof n->hours);
        if (n->at < -FURTHEST || n->at > FURTHEST || n->hours < 0 || __builtin_add_overflow(made.hours, n->hours, &made.hours)) return nyash_error_arg(c, 0, "no dump");
        at += sizeof minute + sizeof n->hours;
        made.used++;
    }
    *d = made;
    return nyash_return_i64(c, (int64_t)d->used);
}

static int32_t method_equals(NyashContext *c) {
    struct diary *d = nyash_self(c), *other = nyash_arg_instance(c, 0);
    bool equal = d->used == other->used && d->hours == other->hours;
    for (size_t i = 0; equal && i < d->used; i++) {
        NyashText name = {d->notes[i].name.data, d->notes[i].name.size};
        struct note *n = find(other, name);
        equal = n != NULL && n->at == d->notes[i].at && n->hours == d->notes[i].hours;
    }
    return nyash_return_bool(c, equal);
}

static const NyashMethod methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = birth, .args = {NYASH_ARG("title", NYASH_STRING)}},
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("name", NYASH_STRING), NYASH_ARG("minute", NYASH_I64), NYASH_ARG("hours", NYASH_I64)}, .result = NYASH_I64, .doc = "Adds to a note, and sets its time."},
    {.id = 2, .name = "day", .call = method_day, .args = {NYASH_ARG("n", NYASH_I64)}, .result = NYASH_STRING, .doc = "The names of a day's notes, a line each."},
    {.id = 3, .name = "title", .call = method_title, .result = NYASH_STRING, .doc = "The title, shortened."},
    {.id = 4, .name = "hours", .call = method_hours, .result = NYASH_I64, .doc = "All hours."},
    {.id = 5, .name = "used", .call = method_used, .result = NYASH_I64, .doc = "How many notes there are."},
    {.id = 6, .name = "dump", .call = method_dump, .result = NYASH_BYTES, .doc = "All notes, for load."},
    {.id = 7, .name = "load", .call = method_load, .args = {NYASH_ARG("dump", NYASH_BYTES)}, .result = NYASH_I64, .doc = "Takes the notes of a dump."},
    {.id = 8, .name = "equals", .call = method_equals, .args = {NYASH_ARG("other", NYASH_HANDLE)}, .result = NYASH_BOOL, .doc = "Whether another one has the same notes."},
};
static const NyashBox box = {.name = "Diary", .type_id = 757, .doc = "Notes at minutes.", .state_size = sizeof(struct diary), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
