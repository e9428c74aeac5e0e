/* The boxes that uses.c, uses.cpp and user call, as a plugin. One calls them back. */
#include "nyash_use.h"

static NyashUse user_get = NYASH_USE("UserBox", "get");

typedef struct Counter {
    int64_t n;
} Counter;

static int64_t alive;

static Counter *self(const NyashContext *c) { return nyash_self(c); }

static int32_t birth(NyashContext *c) {
    self(c)->n = nyash_arg_i64(c, 0);
    __atomic_add_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    return NYASH_OK;
}

static void fini(void *state) {
    (void)state;
    __atomic_sub_fetch(&alive, 1, __ATOMIC_SEQ_CST);
}

static int32_t add(NyashContext *c) { return nyash_return_i64(c, self(c)->n += nyash_arg_i64(c, 0)); }
static int32_t get(NyashContext *c) { return nyash_return_i64(c, self(c)->n); }

static int32_t clone(NyashContext *c) {
    Counter *copy = nyash_create(c, NULL);
    if (copy == NULL) return nyash_error_memory(c);
    *copy = *self(c);
    __atomic_add_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    return nyash_return_instance(c, copy);
}

static int32_t same(NyashContext *c) { return nyash_return_instance(c, nyash_self(c)); }

static int32_t fail(NyashContext *c) {
    NyashText text = nyash_arg_string(c, 1);
    return nyash_error(c, nyash_arg_i32(c, 0), "%.*s", (int)text.size, text.data);
}

static char xs[NYASH_TLV_MAX_PAYLOAD];
static int32_t text(NyashContext *c) { return nyash_return_string(c, xs, (size_t)nyash_arg_i64(c, 0)); }
static int32_t bytes(NyashContext *c) { return nyash_return_bytes(c, xs, (size_t)nyash_arg_i64(c, 0)); }

static int32_t blob(NyashContext *c) {
    size_t size = (size_t)nyash_arg_i64(c, 0);
    uint8_t *data = nyash_blob_alloc(size);
    if (size != 0) memset(data, 1, size);
    return nyash_return_blob_owned(c, data, size);
}

static int32_t sum(NyashContext *c) {
    NyashBytes data = nyash_arg_blob(c, 0);
    int64_t n = 0;
    for (size_t i = 0; i < data.size; i++) n += data.data[i];
    return nyash_return_i64(c, n);
}

/* The value as it came; a handle is that of the counter itself. */
static int32_t echo(NyashContext *c) {
    NyashValue v = nyash_arg(c, 0);
    switch (v.tag) {
    case NYASH_TAG_BOOL: return nyash_return_bool(c, nyash_value_bool(&v));
    case NYASH_TAG_I32: return nyash_return_i32(c, nyash_value_i32(&v));
    case NYASH_TAG_I64: return nyash_return_i64(c, nyash_value_i64(&v));
    case NYASH_TAG_F32: return nyash_return_f32(c, nyash_value_f32(&v));
    case NYASH_TAG_F64: return nyash_return_f64(c, nyash_value_f64(&v));
    case NYASH_TAG_STRING: return nyash_return_string(c, (const char *)v.data, v.size);
    case NYASH_TAG_BYTES: return nyash_return_bytes(c, v.data, v.size);
    }
    return NYASH_OK;
}

static int32_t nothing(NyashContext *c) { return nyash_return_void(c); }

static int32_t back(NyashContext *c) {
    NyashUseError e;
    NyashHandle user = nyash_arg_handle(c, 0);
    int64_t n;
    if (nyash_use_call(&user_get, &user, nyash_to_i64(&n), NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_i64(c, n);
}

static int32_t living(NyashContext *c) { return nyash_return_i64(c, __atomic_load_n(&alive, __ATOMIC_SEQ_CST)); }

#define ALL(i, n, f, r) .id = i, .name = n, .call = f, .result = r
#define I64(name) .args = {NYASH_ARG(name, NYASH_I64)}
static const NyashMethod methods[] = {
    {ALL(0, "birth", birth, 0), .args = {NYASH_ARG("start", NYASH_I64 | NYASH_OPTIONAL)}},
    {ALL(1, "add", add, NYASH_I64), I64("by")},
    {ALL(2, "get", get, NYASH_I64)},
    {ALL(3, "clone", clone, NYASH_HANDLE)},
    {ALL(4, "same", same, NYASH_HANDLE)},
    {ALL(5, "fail", fail, 0), .args = {NYASH_ARG("code", NYASH_I32), NYASH_ARG("text", NYASH_STRING)}},
    {ALL(6, "text", text, NYASH_STRING), I64("size")},
    {ALL(7, "bytes", bytes, NYASH_BYTES), I64("size")},
    {ALL(8, "blob", blob, NYASH_BLOB), I64("size")},
    {ALL(9, "sum", sum, NYASH_I64), .args = {NYASH_ARG("data", NYASH_BLOB)}},
    {ALL(10, "echo", echo, NYASH_ANY), .args = {NYASH_ARG("value", NYASH_ANY)}},
    {ALL(11, "void", nothing, 0)},
    {ALL(12, "silent", nothing, 0)},
    {ALL(13, "back", back, NYASH_I64), .args = {NYASH_ARG("user", NYASH_FOREIGN), NYASH_ARG("method", NYASH_I64)}},
};
static const NyashBox counter = {.name = "CounterBox", .type_id = 5, .state_size = sizeof(Counter), .fini = fini,
                                 NYASH_METHODS(methods), .uses = {"UserBox.get"}};

static int32_t now(NyashContext *c) { return nyash_return_i64(c, 1234); }
static const NyashMethod clock_methods[] = {
    {ALL(1, "now", now, NYASH_I64)},
    {ALL(2, "alive", living, NYASH_I64)},
};
static const NyashBox clock_box = {.name = "ClockBox", .type_id = 6, .flags = NYASH_SINGLETON, NYASH_METHODS(clock_methods)};

static int32_t on_init(void) {
    memset(xs, 'x', sizeof xs);
    return NYASH_OK;
}

NYASH_PLUGIN_WITH(on_init, NULL, &counter, &clock_box)
NYASH_CONNECT
