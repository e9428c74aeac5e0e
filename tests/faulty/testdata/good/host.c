/* A plugin that calls its host as it should: it gives up what it holds, uses what it is lent
 * within the call, passes holds on, and calls from init, from shutdown and from threads of
 * its own. Its uses are in its self-description, or, with TOML, in a nyash.toml that also has
 * the box StoreBox. */
#include "nyash_use.h"

typedef struct User {
    NyashHandle clock;
} User;

static NyashUse clock_birth = NYASH_USE("TimeBox", "birth");
static NyashUse clock_now = NYASH_USE("TimeBox", "now");
static NyashUse clock_format = NYASH_USE("TimeBox", "format");
static NyashUse own_birth = NYASH_USE("UserBox", "birth");
static NyashUse own_depth = NYASH_USE("UserBox", "depth");
static NyashUse own_now = NYASH_USE("UserBox", "now");
#ifdef TOML
static NyashUse store_birth = NYASH_USE("StoreBox", "birth");
static NyashUse store_entry = NYASH_USE("StoreBox", "entry");
static NyashUse store_load = NYASH_USE("StoreBox", "load");
static NyashUse store_put = NYASH_USE("StoreBox", "put");
static NyashUse entry_size = NYASH_USE("EntryBox", "size");
#define MORE_USES , "StoreBox", "EntryBox.size"
#else
#define MORE_USES
#endif

static NyashHandle started; /* from init to shutdown */

static int32_t birth(NyashContext *c) {
    NyashUseError e;
    if (nyash_use_new(&clock_birth, &((User *)nyash_self(c))->clock, NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    return NYASH_OK;
}

static void fini(void *state) { nyash_drop(&((User *)state)->clock); }

static int32_t now_on(NyashContext *c, const NyashHandle *clock) {
    NyashUseError e;
    int64_t ms;
    if (nyash_use_call(&clock_now, clock, nyash_to_i64(&ms), NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_i64(c, ms);
}

static int32_t now(NyashContext *c) { return now_on(c, &((User *)nyash_self(c))->clock); }

static int32_t on(NyashContext *c) {
    NyashHandle lent = nyash_arg_handle(c, 0);
    return now_on(c, &lent);
}

/* A time of the host's, waited for. */
static int32_t wait(NyashContext *c) {
    NyashUseError e;
    int64_t from, ms;
    const NyashHandle *clock = &((User *)nyash_self(c))->clock;
    if (nyash_use_call(&clock_now, clock, nyash_to_i64(&from), NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    do {
        if (nyash_use_call(&clock_now, clock, nyash_to_i64(&ms), NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    } while (ms < from + 1000 && ms > from);
    return nyash_return_i64(c, ms - from);
}

/* Text of any length. */
static int32_t format(NyashContext *c) {
    NyashUseError e;
    NyashText layout = nyash_arg_string(c, 0);
    char *text;
    size_t size;
    if (nyash_use_call(&clock_format, &started, nyash_to_text(&text, &size),
                       NYASH_PASS(nyash_pass_i64(0), nyash_pass_string(layout.data, layout.size)), &e) != NYASH_OK)
        return nyash_error_use(c, &e);
    free(text);
    return nyash_return_i64(c, (int64_t)size);
}

static int32_t make(NyashContext *c) {
    NyashUseError e;
    NyashHandle made;
    if (nyash_use_new(&clock_birth, &made, NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    return nyash_return_handle(c, &made);
}

static int32_t back(NyashContext *c) {
    NyashHandle lent = nyash_arg_handle(c, 0);
    return nyash_return_handle(c, &lent);
}

static void *elsewhere(void *done) {
    NyashHandle made;
    int64_t ms;
    if (nyash_use_new(&clock_birth, &made, NYASH_NO_ARGS, NULL) == NYASH_OK) *(int *)done = 1;
    nyash_use_call(&clock_now, &made, nyash_to_i64(&ms), NYASH_NO_ARGS, NULL);
    nyash_drop(&made);
    return NULL;
}

static int32_t threads(NyashContext *c) {
    pthread_t all[2];
    int done[2] = {0, 0};
    for (size_t i = 0; i < 2; i++)
        if (pthread_create(&all[i], NULL, elsewhere, &done[i]) != 0) return nyash_error_memory(c);
    for (size_t i = 0; i < 2; i++) pthread_join(all[i], NULL);
    return nyash_return_i64(c, done[0] + done[1]);
}

/* Itself, through the host, a few calls deep. */
static int32_t depth(NyashContext *c) {
    NyashUseError e;
    NyashHandle other;
    int64_t n = nyash_arg_i64(c, 0), deeper = 0;
    if (n <= 0 || n > 3) return nyash_return_i64(c, 0);
    if (nyash_use_new(&own_birth, &other, NYASH_NO_ARGS, &e) != NYASH_OK) return nyash_error_use(c, &e);
    nyash_use_call(&own_depth, &other, nyash_to_i64(&deeper), NYASH_PASS(nyash_pass_i64(n - 1)), &e);
    if (e.code == NYASH_OK) nyash_use_call(&own_now, &other, nyash_to_nothing(), NYASH_NO_ARGS, &e);
    nyash_drop(&other);
    return e.code == NYASH_OK ? nyash_return_i64(c, deeper + 1) : nyash_error_use(c, &e);
}

#ifdef TOML
/* Boxes, blobs and bytes of another plugin. */
static int32_t store(NyashContext *c) {
    NyashUseError e;
    NyashHandle store, entry = {0, 0, 0, 0};
    uint8_t *data = NULL;
    size_t size = 0;
    int64_t n = 0;
    nyash_use_new(&store_birth, &store, NYASH_PASS(nyash_pass_text("name")), &e);
    if (e.code == NYASH_OK) nyash_use_call(&store_put, &store, nyash_to_nothing(), NYASH_PASS(nyash_pass_blob("data", 4), nyash_pass_handle(&store)), &e);
    if (e.code == NYASH_OK) nyash_use_call(&store_entry, &store, nyash_to_handle(&entry), NYASH_PASS(nyash_pass_text("key")), &e);
    if (e.code == NYASH_OK) nyash_use_call(&entry_size, &entry, nyash_to_i64(&n), NYASH_NO_ARGS, &e);
    if (e.code == NYASH_OK) nyash_use_call(&store_load, &store, nyash_to_blob(&data, &size), NYASH_NO_ARGS, &e);
    nyash_blob_free(data);
    nyash_drop(&entry);
    nyash_drop(&store);
    return e.code == NYASH_OK ? nyash_return_i64(c, n + (int64_t)size) : nyash_error_use(c, &e);
}
#endif

#define METHOD(i, n, f, r) .id = i, .name = n, .call = f, .result = r
static const NyashMethod methods[] = {
    {METHOD(NYASH_METHOD_BIRTH, "birth", birth, 0)},
    {METHOD(1, "now", now, NYASH_I64)},
    {METHOD(2, "on", on, NYASH_I64), .args = {NYASH_ARG("clock", NYASH_FOREIGN)}},
    {METHOD(3, "wait", wait, NYASH_I64)},
    {METHOD(4, "format", format, NYASH_I64), .args = {NYASH_ARG("layout", NYASH_STRING)}},
    {METHOD(5, "make", make, NYASH_FOREIGN)},
    {METHOD(6, "back", back, NYASH_FOREIGN), .args = {NYASH_ARG("clock", NYASH_FOREIGN)}},
    {METHOD(7, "threads", threads, NYASH_I64)},
    {METHOD(8, "depth", depth, NYASH_I64), .args = {NYASH_ARG("n", NYASH_I64)}},
#ifdef TOML
    {METHOD(9, "store", store, NYASH_I64)},
#endif
};
static const NyashBox user = {
    .name = "UserBox", .type_id = 721, .state_size = sizeof(User), .fini = fini, .flags = NYASH_CONCURRENT, NYASH_METHODS(methods),
    .uses = {"TimeBox", "UserBox" MORE_USES}};

static int32_t begin(void) { return nyash_use_new(&clock_birth, &started, NYASH_NO_ARGS, NULL); }

static void finish(void) {
    int64_t ms;
    nyash_use_call(&clock_now, &started, nyash_to_i64(&ms), NYASH_NO_ARGS, NULL);
    nyash_drop(&started);
}

NYASH_PLUGIN_WITH(begin, finish, &user)
NYASH_CONNECT
