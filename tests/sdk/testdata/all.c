/* A box with a method of each kind, and a second one. The test's main is in
 * all_test.c, which includes this file. */
#include "nyash.h"

enum { BIRTH_ERROR = 77 };

typedef struct All {
    int64_t calls; /* that have had an effect */
    int alive;
} All;

static int32_t birth(NyashContext *c) {
    All *self = nyash_self(c);
    if (nyash_arg_i64(c, 0) < 0)
        return nyash_error(c, BIRTH_ERROR, "not below zero");
    self->calls = nyash_arg_i64(c, 0);
    self->alive = 1;
    return NYASH_OK;
}

static int64_t ended;
static void fini(void *state) {
    All *self = state;
    if (!self->alive)
        abort();
    self->alive = 0;
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static int32_t text(NyashContext *c) {
    NyashText s = nyash_arg_string(c, 0);
    ((All *)nyash_self(c))->calls++;
    return nyash_return_string(c, s.data, s.size);
}

static int32_t bytes(NyashContext *c) {
    NyashBytes s = nyash_arg_bytes(c, 0);
    ((All *)nyash_self(c))->calls++;
    return nyash_return_bytes(c, s.data, s.size);
}

static int32_t blob(NyashContext *c) {
    NyashBytes s = nyash_arg_blob(c, 0);
    ((All *)nyash_self(c))->calls++;
    return nyash_return_blob(c, s.data, s.size);
}

static int32_t numbers(NyashContext *c) {
    double sum = nyash_arg_bool(c, 0) + nyash_arg_i32(c, 1) + (double)nyash_arg_i64(c, 2) + nyash_arg_f32(c, 3);
    return nyash_return_f64(c, sum + nyash_arg_f64(c, 4));
}

static int32_t calls(NyashContext *c) {
    if (!((All *)nyash_self(c))->alive)
        return nyash_error(c, NYASH_E_PLUGIN, "a method met an instance that has ended");
    return nyash_return_i64(c, ((All *)nyash_self(c))->calls);
}

static int32_t move(NyashContext *c) {
    All *self = nyash_self(c), *other = nyash_arg_instance(c, 0);
    if (!other->alive)
        abort();
    other->calls--;
    self->calls++;
    return NYASH_OK;
}

static int32_t clone(NyashContext *c) {
    All *copy = nyash_create(c, NULL);
    if (copy == NULL)
        return nyash_error_memory(c);
    *copy = *(All *)nyash_self(c);
    switch (copy->calls) {
    case 99:
        return nyash_error(c, NYASH_E_PLUGIN, "99 cannot be cloned");
    case 98: /* the rest change their minds */
        NYASH_TRY(nyash_return_instance(c, copy));
        return nyash_error(c, NYASH_E_PLUGIN, "98 cannot be cloned");
    case 97:
        NYASH_TRY(nyash_return_instance(c, copy));
        return NYASH_E_PLUGIN;
    case 96:
        NYASH_TRY(nyash_return_instance(c, copy));
        return nyash_return_void(c);
    case 95:
        NYASH_TRY(nyash_return_instance(c, copy));
        return nyash_return_instance(c, nyash_self(c));
    case 94:
        NYASH_TRY(nyash_return_instance(c, copy));
        break;
    }
    return nyash_return_instance(c, copy);
}

static int32_t count(NyashContext *c) {
    NyashReader r = nyash_args(c);
    NyashValue v;
    int64_t n = 0;
    while (nyash_reader_next(&r, &v) > 0)
        n += (int64_t)v.size;
    return nyash_return_i64(c, n);
}

static int32_t cstring(NyashContext *c) {
    char *text;
    NYASH_TRY(nyash_arg_cstring(c, 0, &text));
    int64_t n = (int64_t)strlen(text);
    free(text);
    return nyash_return_i64(c, n);
}

static int32_t wrong(NyashContext *c) {
    NyashText kind = nyash_arg_string(c, 0);
    switch (kind.size > 0 ? kind.data[0] : ' ') {
    case 't':
        return nyash_return_string(c, "text", 4); /* declared blob */
    case 'b':
        nyash_return_blob(c, "blob", 4);
        return NYASH_E_PLUGIN; /* the blob is freed, and there is no message */
    case 's':
        return NYASH_E_SHORT_BUFFER;
    case 'n':
        return NYASH_OK;
    }
    return nyash_error(c, 1234, "%s", "h\303\251llo h\303\251llo h\303\251llo h\303\251llo");
}

static int32_t reserve(NyashContext *c) {
    size_t size = (size_t)nyash_arg_i64(c, 0), room;
    uint8_t *data;
    NYASH_TRY(nyash_reserve(c, size, &data, &room));
    ((All *)nyash_self(c))->calls++;
    if (room < size || room > NYASH_TLV_MAX_PAYLOAD)
        abort();
    memset(data, 'x', size);
    return nyash_return_reserved(c, size);
}

static int32_t not_utf8(NyashContext *c) { return nyash_return_string(c, "ab\377", 3); }

#define ALL(i, n, f, r) .id = i, .name = n, .call = f, .result = r
static const NyashMethod methods[] = {
    {ALL(0, "birth", birth, 0), .args = {NYASH_ARG("calls", NYASH_I64)}},
    {ALL(1, "text", text, NYASH_STRING), .args = {NYASH_ARG("text", NYASH_STRING)}, .limit = 100},
    {ALL(2, "bytes", bytes, NYASH_BYTES), .args = {NYASH_ARG("data", NYASH_BYTES)}},
    {ALL(3, "blob", blob, NYASH_BLOB), .args = {NYASH_ARG("data", NYASH_BLOB)}},
    {ALL(4, "numbers", numbers, NYASH_F64), .doc = "The sum, with \"quotes\", a \\ and\na line.\001",
     .args = {NYASH_ARG("a", NYASH_BOOL), NYASH_ARG("b", NYASH_I32), NYASH_ARG("c", NYASH_I64),
              NYASH_ARG("d", NYASH_F32), {"e", NYASH_F64, NULL, "any", "the fifth"}}},
    {ALL(5, "calls", calls, NYASH_I64)},
    {ALL(6, "move", move, NYASH_VOID), .args = {NYASH_ARG("other", NYASH_HANDLE)}},
    {ALL(7, "clone", clone, NYASH_HANDLE)},
    {ALL(8, "count", count, NYASH_I64), .flags = NYASH_UNDECLARED},
    {ALL(9, "wrong", wrong, NYASH_BLOB), .args = {NYASH_ARG("kind", NYASH_STRING)}},
    {ALL(10, "notUTF8", not_utf8, NYASH_STRING)},
    {ALL(11, "any", count, NYASH_I64), .args = {NYASH_ARG("first", NYASH_ANY), NYASH_ARG("second", NYASH_ANY | NYASH_OPTIONAL)}},
    {ALL(12, "reserve", reserve, NYASH_BYTES), .args = {NYASH_ARG("size", NYASH_I64)}, .limit = NYASH_RESERVES},
    {ALL(13, "most", bytes, NYASH_BYTES), .args = {NYASH_ARG("data", NYASH_BYTES)}, .limit = SIZE_MAX - 1},
    {ALL(14, "cstring", cstring, NYASH_I64), .args = {NYASH_ARG("path", NYASH_STRING)}},
    {ALL(15, "undeclaredCstring", cstring, NYASH_I64), .flags = NYASH_UNDECLARED},
};

static const NyashBox all = {.name = "All", .type_id = 20, .doc = "Every kind.", .threads = "free",
                             .state_size = sizeof(All), .fini = fini, NYASH_METHODS(methods)};

static int32_t ping(NyashContext *c) { return nyash_return_text(c, "pong"); }
static const NyashMethod other_methods[] = {{ALL(1, "ping", ping, NYASH_STRING)}};
static const NyashBox other = {.name = "Other Box", .type_id = 21, .flags = NYASH_SINGLETON, NYASH_METHODS(other_methods)};

NYASH_PLUGIN(&all, &other)
