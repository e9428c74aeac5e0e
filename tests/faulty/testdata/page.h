/* A plugin without a fault, with the C SDK: box Page, type 744, up to 65,535 bytes of text with the last eight versions of it.
 * The files that include this one each define one macro in another way, and so have one fault. */
#include "nyash.h"

#define MOST 65535
#define VERSIONS 8

/* What a fault replaces. */
#ifndef BEFORE_INSERT /* what is done before the arguments are looked at */
#define BEFORE_INSERT(p) (void)0
#endif
#ifndef ROOM /* for a text in which something was replaced */
#define ROOM(size) ((size) <= MOST)
#endif
#ifndef PLACE /* of a byte in a text */
#define PLACE(t, at) (at)
#endif

struct text {
    size_t size;
    char data[];
};

struct page {
    struct text *all[VERSIONS]; /* the oldest first; NULL for an empty one */
    int count, at;              /* at is the version that is shown */
};

static const struct text nothing = {0};

static const struct text *shown(const struct page *p) { return p->count > 0 && p->all[p->at] != NULL ? p->all[p->at] : &nothing; }

static struct text *new_text(size_t size) {
    struct text *t = malloc(sizeof *t + size);
    if (t != NULL) t->size = size;
    return t;
}

static void forget_redo(struct page *p) {
    while (p->count > p->at + 1) free(p->all[--p->count]);
}

/* The page shows another version, which it owns. */
static void show(struct page *p, struct text *t) {
    forget_redo(p);
    if (p->count == 0) p->count = 1; /* the empty one */
    if (p->count == VERSIONS) {
        free(p->all[0]);
        memmove(p->all, p->all + 1, sizeof p->all - sizeof p->all[0]);
        p->count--;
    }
    p->all[p->count] = t;
    p->at = p->count++;
}

static int32_t method_text(NyashContext *c) {
    const struct text *t = shown(nyash_self(c));
    return nyash_return_bytes(c, t->data, t->size);
}

static int32_t method_insert(NyashContext *c) {
    struct page *p = nyash_self(c);
    const struct text *t = shown(p);
    int64_t at = nyash_arg_i64(c, 0);
    NyashBytes more = nyash_arg_bytes(c, 1);
    struct text *changed;
    BEFORE_INSERT(p);
    if (at < 0 || (uint64_t)at > t->size) return nyash_error_arg(c, 0, "the text is not so long");
    if (more.size > MOST - t->size) return nyash_error_arg(c, 1, "a page has no more than 65,535 bytes");
    changed = new_text(t->size + more.size);
    if (changed == NULL) return nyash_error_memory(c);
    memcpy(changed->data, t->data, (size_t)at);
    if (more.size > 0) memcpy(changed->data + at, more.data, more.size);
    memcpy(changed->data + at + more.size, t->data + at, t->size - (size_t)at);
    show(p, changed);
    return nyash_return_i64(c, (int64_t)changed->size);
}

static size_t count_of(const struct text *t, NyashBytes find) {
    size_t n = 0;
    for (size_t i = 0; i + find.size <= t->size;)
        if (memcmp(t->data + i, find.data, find.size) == 0) n++, i += find.size;
        else i++;
    return n;
}

static int32_t replace(NyashContext *c, struct page *p, NyashBytes find, NyashBytes with) {
    const struct text *t = shown(p);
    size_t n = count_of(t, find), size = t->size - n * find.size + n * with.size, to = 0;
    struct text *changed;
    if (!ROOM(size)) return nyash_error(c, NYASH_E_PLUGIN, "a page has no more than 65,535 bytes");
    changed = new_text(size);
    if (changed == NULL) return nyash_error_memory(c);
    for (size_t i = 0; i < t->size;) {
        if (i + find.size <= t->size && memcmp(t->data + i, find.data, find.size) == 0) {
            if (to + with.size > MOST) break;
            if (with.size > 0) memcpy(changed->data + to, with.data, with.size);
            to += with.size;
            i += find.size;
        } else {
            changed->data[to++] = t->data[i++];
        }
    }
    changed->size = to;
    show(p, changed);
    return to == size ? nyash_return_i64(c, (int64_t)n) : nyash_error(c, NYASH_E_PLUGIN, "a page has no more than 65,535 bytes");
}

static int32_t method_replace(NyashContext *c) {
    NyashBytes find = nyash_arg_bytes(c, 0);
    if (find.size == 0) return nyash_error_arg(c, 0, "nothing is everywhere");
    return replace(c, nyash_self(c), find, nyash_arg_bytes(c, 1));
}

static int32_t method_slice(NyashContext *c) {
    const struct text *t = shown(nyash_self(c));
    int64_t at = nyash_arg_i64(c, 0), count = nyash_arg_i64(c, 1);
    struct text *part;
    int32_t code;
    if (at < 0 || (uint64_t)at > t->size) return nyash_error_arg(c, 0, "the text is not so long");
    if (count < 0) return nyash_error_arg(c, 1, "a number of bytes is 0 or more");
    if ((uint64_t)count > t->size - (size_t)at) count = (int64_t)t->size - at;
    part = new_text((size_t)count);
    if (part == NULL) return nyash_error_memory(c);
    for (int64_t i = 0; i < count; i++) part->data[i] = t->data[PLACE(t, (size_t)(at + i))];
    code = nyash_return_bytes(c, part->data, part->size);
    free(part);
    return code;
}

static int32_t method_step(NyashContext *c) {
    struct page *p = nyash_self(c);
    int64_t by = nyash_arg_i64(c, 0);
    int from = p->at;
    int64_t last = p->count > 0 ? p->count - 1 : 0;
    if (by < -VERSIONS) by = -VERSIONS;
    if (by > VERSIONS) by = VERSIONS;
    p->at = (int)(from + by < 0 ? 0 : from + by > last ? last : from + by);
    return nyash_return_i64(c, p->at < from ? from - p->at : p->at - from);
}

static void fini(void *self) {
    struct page *p = self;
    for (int i = 0; i < p->count; i++) free(p->all[i]);
}

#define TEXT(n) NYASH_ARG(n, NYASH_BYTES)
#define NUMBER(n) NYASH_ARG(n, NYASH_I64)
static const NyashMethod methods[] = {
    {.id = 1, .name = "text", .call = method_text, .result = NYASH_BYTES},
    {.id = 2, .name = "insert", .call = method_insert, .args = {NUMBER("at"), TEXT("text")}, .result = NYASH_I64, .doc = "Answers the size."},
    {.id = 3, .name = "replace", .call = method_replace, .args = {TEXT("find"), TEXT("with")}, .result = NYASH_I64, .doc = "How many there were."},
    {.id = 4, .name = "slice", .call = method_slice, .args = {NUMBER("at"), NUMBER("count")}, .result = NYASH_BYTES},
    {.id = 5, .name = "step", .call = method_step, .args = {NUMBER("by")}, .result = NYASH_I64, .doc = "To another version, back below 0; how many it went."},
};
static const NyashBox box = {.name = "Page", .type_id = 744, .state_size = sizeof(struct page), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
