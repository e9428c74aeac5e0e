/* A box that calls the boxes of its host in every way; uses.cpp and uses_rust are the
 * same in other languages. */
#include "nyash_use.h"

static NyashUse counter_birth = NYASH_USE("CounterBox", "birth");
static NyashUse counter_add = NYASH_USE("CounterBox", "add");
static NyashUse counter_get = NYASH_USE("CounterBox", "get");
static NyashUse counter_clone = NYASH_USE("CounterBox", "clone");
static NyashUse counter_same = NYASH_USE("CounterBox", "same");
static NyashUse counter_fail = NYASH_USE("CounterBox", "fail");
static NyashUse counter_text = NYASH_USE("CounterBox", "text");
static NyashUse counter_bytes = NYASH_USE("CounterBox", "bytes");
static NyashUse counter_blob = NYASH_USE("CounterBox", "blob");
static NyashUse counter_sum = NYASH_USE("CounterBox", "sum");
static NyashUse counter_echo = NYASH_USE("CounterBox", "echo");
static NyashUse counter_void = NYASH_USE("CounterBox", "void");
static NyashUse counter_silent = NYASH_USE("CounterBox", "silent");
static NyashUse counter_break = NYASH_USE("CounterBox", "break");
static NyashUse counter_back = NYASH_USE("CounterBox", "back");
static NyashUse counter_none = NYASH_USE("CounterBox", "none");
static NyashUse clock_birth = NYASH_USE("ClockBox", "birth");
static NyashUse clock_now = NYASH_USE("ClockBox", "now");
static NyashUse clock_set = NYASH_USE("ClockBox", "set");
static NyashUse secret_birth = NYASH_USE("SecretBox", "birth");
static NyashUse missing_birth = NYASH_USE("MissingBox", "birth");
static NyashUse unlisted_birth = NYASH_USE("UnlistedBox", "birth");

typedef struct User {
    NyashHandle counter;
} User;

static int32_t birth(NyashContext *c) {
    NyashUseError e;
    User *self = nyash_self(c);
    NyashPass start = nyash_pass_i64(nyash_arg_i64(c, 0));
    if (nyash_use_new(&counter_birth, &self->counter, &start, nyash_arg_count(c), &e) != NYASH_OK) return nyash_error_use(c, &e);
    return NYASH_OK;
}

static void fini(void *state) { nyash_drop(&((User *)state)->counter); }

static const NyashHandle *counter(const NyashContext *c) { return &((User *)nyash_self(c))->counter; }

static int32_t add(NyashContext *c) {
    NyashUseError e;
    int64_t n;
    if (nyash_use_call(&counter_add, counter(c), nyash_to_i64(&n), NYASH_PASS(nyash_pass_i64(nyash_arg_i64(c, 0))), &e) != NYASH_OK)
        return nyash_error_use(c, &e);
    return nyash_return_i64(c, n);
}

static int32_t get(NyashContext *c) {
    NyashUseError e;
    int64_t n;
    if (nyash_use_call(&counter_get, counter(c), nyash_to_i64(&n), NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_i64(c, n);
}

static int32_t fresh(NyashContext *c) {
    NyashUseError e;
    NyashHandle made;
    if (nyash_use_new(&counter_birth, &made, NYASH_PASS(nyash_pass_i64(nyash_arg_i64(c, 0))), &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_handle(c, &made);
}

static int32_t badly(NyashContext *c) {
    NyashUseError e;
    NyashHandle made;
    if (nyash_use_new(&counter_birth, &made, NYASH_PASS(nyash_pass_text("seven")), &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_handle(c, &made);
}

static int32_t fail(NyashContext *c) {
    NyashUseError e;
    NyashText text = nyash_arg_string(c, 1);
    nyash_use_call(&counter_fail, counter(c), nyash_to_nothing(),
                   NYASH_PASS(nyash_pass_i32(nyash_arg_i32(c, 0)), nyash_pass_string(text.data, text.size)), &e);
    return nyash_error_use(c, &e);
}

static int32_t text(NyashContext *c) {
    NyashUseError e;
    char *text;
    size_t size;
    if (nyash_use_call(&counter_text, counter(c), nyash_to_text(&text, &size), NYASH_PASS(nyash_pass_i64(nyash_arg_i64(c, 0))), &e) != NYASH_OK)
        return nyash_error_use(c, &e);
    if (strlen(text) != size || strspn(text, "x") != size) abort();
    free(text);
    return nyash_return_i64(c, (int64_t)size);
}

static int32_t bytes(NyashContext *c) {
    NyashUseError e;
    uint8_t *data;
    size_t size;
    if (nyash_use_call(&counter_bytes, counter(c), nyash_to_bytes(&data, &size), NYASH_PASS(nyash_pass_i64(nyash_arg_i64(c, 0))), &e) != NYASH_OK)
        return nyash_error_use(c, &e);
    free(data);
    return nyash_return_i64(c, (int64_t)size);
}

static int32_t blob(NyashContext *c) {
    NyashUseError e;
    uint8_t *data;
    size_t size, i;
    int64_t n = 0;
    if (nyash_use_call(&counter_blob, counter(c), nyash_to_blob(&data, &size), NYASH_PASS(nyash_pass_i64(nyash_arg_i64(c, 0))), &e) != NYASH_OK)
        return nyash_error_use(c, &e);
    for (i = 0; i < size; i++) n += data[i];
    nyash_blob_free(data);
    return nyash_return_i64(c, n);
}

static int32_t sum(NyashContext *c) {
    NyashUseError e;
    size_t size = (size_t)nyash_arg_i64(c, 0);
    uint8_t *data = calloc(1, size + 1);
    int64_t n;
    memset(data, 2, size);
    nyash_use_call(&counter_sum, counter(c), nyash_to_i64(&n), NYASH_PASS(nyash_pass_blob(data, size)), &e);
    free(data);
    return e.code == NYASH_OK ? nyash_return_i64(c, n) : nyash_error_use(c, &e);
}

/* A string of so many bytes there, and how many come back. */
static int32_t echo(NyashContext *c) {
    NyashUseError e;
    size_t size = (size_t)nyash_arg_i64(c, 0), came;
    char *data = malloc(size + 1), *back;
    memset(data, 'y', size);
    nyash_use_call(&counter_echo, counter(c), nyash_to_text(&back, &came), NYASH_PASS(nyash_pass_string(data, size)), &e);
    free(data);
    free(back);
    return e.code == NYASH_OK ? nyash_return_i64(c, (int64_t)came) : nyash_error_use(c, &e);
}

/* Each type there and back. */
static int32_t types(NyashContext *c) {
    const NyashHandle *on = counter(c);
    int32_t i = 0;
    int64_t l = 0, from_i32 = 0;
    int b = 0, given = 1;
    float f = 0;
    double d = 0, from_f32 = 0;
    uint8_t *bytes = NULL;
    size_t size;
    char line[200];
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_bool(&b), NYASH_PASS(nyash_pass_bool(7)), NULL));
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_i32(&i), NYASH_PASS(nyash_pass_i32(INT32_MIN)), NULL));
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_i64(&l), NYASH_PASS(nyash_pass_i64(INT64_MIN)), NULL));
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_i64(&from_i32), NYASH_PASS(nyash_pass_i32(-3)), NULL));
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_f32(&f), NYASH_PASS(nyash_pass_f32(0.5f)), NULL));
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_f64(&d), NYASH_PASS(nyash_pass_f64(-2.25)), NULL));
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_f64(&from_f32), NYASH_PASS(nyash_pass_f32(1.5f)), NULL));
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_bytes(&bytes, &size), NYASH_PASS(nyash_pass_bytes("\0z", 2)), NULL));
    NYASH_TRY(nyash_use_call(&counter_void, on, nyash_to_optional(nyash_to_i64(&l), &given), NYASH_NO_ARGS, NULL));
    snprintf(line, sizeof line, "%d %ld %ld %g %g %g %zu %d", b, (long)i, (long)from_i32, (double)f, d, from_f32, size, given);
    free(bytes);
    NYASH_TRY(nyash_use_call(&counter_echo, on, nyash_to_optional(nyash_to_i64(&l), &given), NYASH_PASS(nyash_pass_i64(INT64_MIN)), NULL));
    return l == INT64_MIN && given ? nyash_return_text(c, line) : NYASH_E_PLUGIN;
}

static int32_t lent(NyashContext *c) {
    NyashUseError e;
    NyashHandle other = nyash_arg_handle(c, 0);
    int64_t n;
    if (nyash_use_call(&counter_add, &other, nyash_to_i64(&n), NYASH_PASS(nyash_pass_i64(1)), &e) != NYASH_OK) return nyash_error_use(c, &e);
    nyash_drop(&other); /* which is not its to give up */
    return nyash_return_i64(c, n);
}

static int32_t back(NyashContext *c) {
    NyashHandle other = nyash_arg_handle(c, 0);
    return nyash_return_handle(c, &other);
}

static int32_t clone(NyashContext *c) {
    NyashUseError e;
    NyashHandle made;
    if (nyash_use_call(&counter_clone, counter(c), nyash_to_handle(&made), NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_handle(c, &made);
}

/* A box that is lent to another one, and held twice. */
static int32_t same(NyashContext *c) {
    NyashUseError e;
    NyashHandle twice, again = {0, 0, 0, 0};
    int64_t n = 0;
    if (nyash_use_call(&counter_same, counter(c), nyash_to_handle(&twice), NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    nyash_use_call(&counter_echo, &twice, nyash_to_nothing(), NYASH_PASS(nyash_pass_handle(&twice)), &e);
    if (e.code == NYASH_OK) nyash_use_call(&counter_same, counter(c), nyash_to_handle(&again), NYASH_NO_ARGS, &e);
    nyash_drop(&twice);
    if (e.code == NYASH_OK) nyash_use_call(&counter_get, &again, nyash_to_i64(&n), NYASH_NO_ARGS, &e);
    nyash_drop(&again);
    return e.code == NYASH_OK ? nyash_return_i64(c, n) : nyash_error_use(c, &e);
}

static int32_t clock_twice(NyashContext *c) {
    NyashUseError e;
    NyashHandle one, two = {0, 0, 0, 0};
    int64_t first = 0, second = 0;
    nyash_use_new(&clock_birth, &one, NYASH_NO_ARGS, &e);
    if (e.code == NYASH_OK) nyash_use_new(&clock_birth, &two, NYASH_NO_ARGS, &e);
    if (e.code == NYASH_OK) nyash_use_call(&clock_now, &one, nyash_to_i64(&first), NYASH_NO_ARGS, &e);
    nyash_drop(&one);
    if (e.code == NYASH_OK) nyash_use_call(&clock_now, &two, nyash_to_i64(&second), NYASH_NO_ARGS, &e);
    nyash_drop(&two);
    return e.code == NYASH_OK ? nyash_return_i64(c, first + second) : nyash_error_use(c, &e);
}

static int32_t broken(NyashContext *c) {
    NyashUseError e;
    nyash_use_call(&counter_break, counter(c), nyash_to_nothing(), NYASH_PASS(nyash_pass_i64(nyash_arg_i64(c, 0))), &e);
    return nyash_error_use(c, &e);
}

static int32_t nothing(NyashContext *c) {
    NyashUseError e;
    nyash_use_call(&counter_void, counter(c), nyash_to_nothing(), NYASH_NO_ARGS, &e);
    if (e.code == NYASH_OK) nyash_use_call(&counter_silent, counter(c), nyash_to_nothing(), NYASH_NO_ARGS, &e);
    if (e.code == NYASH_OK) nyash_use_call(&counter_clone, counter(c), nyash_to_nothing(), NYASH_NO_ARGS, &e);
    if (e.code == NYASH_OK) nyash_use_call(&counter_blob, counter(c), nyash_to_nothing(), NYASH_PASS(nyash_pass_i64(9)), &e);
    return e.code == NYASH_OK ? nyash_return_void(c) : nyash_error_use(c, &e);
}

/* Mistakes of an author's, by their names. */
static int32_t wrong(NyashContext *c) {
    NyashUseError e;
    NyashText what = nyash_arg_string(c, 0);
    NyashHandle empty = {0, 0, 0, 0}, made, clock;
    int64_t n;
    char *text;
#define WHAT(name) (what.size == strlen(name) && memcmp(what.data, name, what.size) == 0)
    if (WHAT("unlisted")) nyash_use_new(&unlisted_birth, &made, NYASH_NO_ARGS, &e);
    if (WHAT("unlistedMethod")) {
        nyash_use_new(&clock_birth, &clock, NYASH_NO_ARGS, &e);
        nyash_use_call(&clock_set, &clock, nyash_to_nothing(), NYASH_NO_ARGS, &e);
        nyash_drop(&clock);
    }
    if (WHAT("refused")) nyash_use_new(&secret_birth, &made, NYASH_NO_ARGS, &e);
    if (WHAT("missing")) nyash_use_new(&missing_birth, &made, NYASH_NO_ARGS, &e);
    if (WHAT("missingMethod")) nyash_use_call(&counter_none, counter(c), nyash_to_nothing(), NYASH_NO_ARGS, &e);
    if (WHAT("type")) nyash_use_call(&counter_get, counter(c), nyash_to_text(&text, NULL), NYASH_NO_ARGS, &e);
    if (WHAT("typeOfHold")) nyash_use_call(&counter_clone, counter(c), nyash_to_i64(&n), NYASH_NO_ARGS, &e);
    if (WHAT("typeOfBlob")) nyash_use_call(&counter_blob, counter(c), nyash_to_i64(&n), NYASH_PASS(nyash_pass_i64(9)), &e);
    if (WHAT("void")) nyash_use_call(&counter_void, counter(c), nyash_to_i64(&n), NYASH_NO_ARGS, &e);
    if (WHAT("empty")) nyash_use_call(&counter_get, &empty, nyash_to_i64(&n), NYASH_NO_ARGS, &e);
    if (WHAT("null")) nyash_use_call(&counter_get, NULL, nyash_to_i64(&n), NYASH_NO_ARGS, &e);
    if (WHAT("emptyArgument")) nyash_use_call(&counter_echo, counter(c), nyash_to_nothing(), NYASH_PASS(nyash_pass_handle(&empty)), &e);
    if (WHAT("birth")) nyash_use_call(&counter_birth, counter(c), nyash_to_nothing(), NYASH_NO_ARGS, &e);
    if (WHAT("noBirth")) nyash_use_new(&counter_get, &made, NYASH_NO_ARGS, &e);
    if (WHAT("notUTF8")) nyash_use_call(&counter_echo, counter(c), nyash_to_nothing(), NYASH_PASS(nyash_pass_void(), nyash_pass_text("\377")), &e);
    if (WHAT("otherBox")) {
        nyash_use_call(&counter_clone, counter(c), nyash_to_handle(&made), NYASH_NO_ARGS, &e);
        nyash_use_call(&clock_now, &made, nyash_to_i64(&n), NYASH_NO_ARGS, &e);
        nyash_drop(&made);
    }
    if (WHAT("returnedEmpty")) return nyash_return_handle(c, &empty);
    if (WHAT("secondThoughts")) {
        nyash_use_new(&counter_birth, &made, NYASH_NO_ARGS, &e);
        NYASH_TRY(nyash_return_handle(c, &made));
        nyash_use_call(&counter_none, counter(c), nyash_to_nothing(), NYASH_NO_ARGS, &e);
    }
    if (WHAT("thirdThoughts")) {
        nyash_use_new(&counter_birth, &made, NYASH_NO_ARGS, &e);
        NYASH_TRY(nyash_return_handle(c, &made));
        return 77;
    }
    return nyash_error_use(c, &e);
}

static int32_t undeclared(NyashContext *c) {
    NyashUseError e;
    NyashHandle made;
    if (nyash_use_new(&counter_birth, &made, NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_handle(c, &made);
}

/* The host calls a method of this instance, on this thread. */
static int32_t reenter(NyashContext *c) {
    NyashUseError e;
    int64_t n;
    if (nyash_use_call(&counter_back, counter(c), nyash_to_i64(&n),
                       NYASH_PASS(nyash_pass_instance(nyash_self(c)), nyash_pass_i64(nyash_arg_i64(c, 0))), &e) != NYASH_OK)
        return nyash_error_use(c, &e);
    return nyash_return_i64(c, n);
}

/* A hold that outlives what the plugin lives. */
static NyashHandle kept;
static int32_t keep(NyashContext *c) {
    NyashUseError e;
    int64_t n;
    if (kept.instance_id == 0 && nyash_use_new(&counter_birth, &kept, NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    if (nyash_use_call(&counter_add, &kept, nyash_to_i64(&n), NYASH_PASS(nyash_pass_i64(1)), &e) == NYASH_OK) return nyash_return_i64(c, n);
    nyash_drop(&kept);
    return nyash_error_use(c, &e);
}

static void *elsewhere(void *unused) {
    NyashUseError e;
    NyashHandle made;
    int64_t n, i;
    (void)unused;
    if (nyash_use_new(&counter_birth, &made, NYASH_NO_ARGS, &e) != NYASH_OK) return NULL;
    for (i = 1; i <= 50; i++)
        if (nyash_use_call(&counter_add, &made, nyash_to_i64(&n), NYASH_PASS(nyash_pass_i64(1)), &e) != NYASH_OK || n != i) abort();
    nyash_drop(&made);
    return NULL;
}

static int32_t threads(NyashContext *c) {
    pthread_t all[4];
    size_t i;
    for (i = 0; i < 4; i++)
        if (pthread_create(&all[i], NULL, elsewhere, NULL) != 0) return nyash_error_memory(c);
    for (i = 0; i < 4; i++) pthread_join(all[i], NULL);
    return NYASH_OK;
}

#define ALL(i, n, f, r) .id = i, .name = n, .call = f, .result = r
#define I64(name) .args = {NYASH_ARG(name, NYASH_I64)}
static const NyashMethod methods[] = {
    {ALL(0, "birth", birth, 0), .args = {NYASH_ARG("start", NYASH_I64 | NYASH_OPTIONAL)}},
    {ALL(1, "add", add, NYASH_I64), I64("n")},
    {ALL(2, "get", get, NYASH_I64)},
    {ALL(3, "fresh", fresh, NYASH_FOREIGN), I64("n")},
    {ALL(4, "badly", badly, NYASH_FOREIGN)},
    {ALL(5, "fail", fail, 0), .args = {NYASH_ARG("code", NYASH_I32), NYASH_ARG("text", NYASH_STRING)}},
    {ALL(6, "text", text, NYASH_I64), I64("n")},
    {ALL(7, "bytes", bytes, NYASH_I64), I64("n")},
    {ALL(8, "blob", blob, NYASH_I64), I64("n")},
    {ALL(9, "sum", sum, NYASH_I64), I64("n")},
    {ALL(10, "echo", echo, NYASH_I64), I64("n")},
    {ALL(11, "types", types, NYASH_STRING)},
    {ALL(12, "lent", lent, NYASH_I64), .args = {NYASH_ARG("other", NYASH_FOREIGN)}},
    {ALL(13, "back", back, NYASH_FOREIGN), .args = {NYASH_ARG("other", NYASH_FOREIGN)}},
    {ALL(14, "clone", clone, NYASH_FOREIGN)},
    {ALL(15, "same", same, NYASH_I64)},
    {ALL(16, "clock", clock_twice, NYASH_I64)},
    {ALL(17, "broken", broken, 0), I64("how")},
    {ALL(18, "nothing", nothing, 0)},
    {ALL(19, "wrong", wrong, NYASH_FOREIGN), .args = {NYASH_ARG("what", NYASH_STRING)}},
    {ALL(20, "reenter", reenter, NYASH_I64), I64("method")},
    {ALL(21, "keep", keep, NYASH_I64)},
    {ALL(22, "threads", threads, 0)},
    {ALL(23, "undeclared", undeclared, NYASH_I64)},
};
static const NyashBox user = {.name = "UserBox", .type_id = 5, .state_size = sizeof(User), .fini = fini, NYASH_METHODS(methods),
                              .uses = {"CounterBox", "ClockBox.now", "SecretBox", "MissingBox"}};

static const NyashMethod no_methods[] = {{ALL(1, "get", get, NYASH_I64)}};
static const NyashBox second = {.name = "SecondBox", .type_id = 6, NYASH_METHODS(no_methods), .uses = {"ClockBox.now", "EventBox.publish:file.*"}};

NYASH_PLUGIN(&user, &second)
NYASH_CONNECT
