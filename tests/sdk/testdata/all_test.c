/* Calls all.c as a host would, from many threads too. Exits 0 if all is well. */
#include "all.c"

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);             \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static long allocated; /* blobs that are with the plugin or the host */

static uint8_t *host_alloc(size_t size) {
    __atomic_add_fetch(&allocated, 1, __ATOMIC_SEQ_CST);
    return malloc(size);
}

static void host_free(uint8_t *p) {
    __atomic_sub_fetch(&allocated, 1, __ATOMIC_SEQ_CST);
    free(p);
}

static void host_wake(uint64_t handle) { (void)handle; }
static char logged[4096];
static void host_log(int32_t level, const char *msg) { snprintf(logged, sizeof logged, "%d %s", level, msg); }

static const NyashHostVtable host = {host_alloc, host_free, host_wake, host_log};

/* A call with room for a result of any size. */
struct call {
    uint8_t args[512];
    NyashWriter w;
    uint8_t result[NYASH_MESSAGE_SIZE(NYASH_TLV_MAX_PAYLOAD) + 64];
    size_t size;
};

static struct call *prepare(struct call *c) {
    nyash_writer_open(&c->w, c->args, sizeof c->args);
    c->size = sizeof c->result;
    return c;
}

static int32_t call(struct call *c, uint32_t method, uint32_t id) {
    return nyash_plugin_invoke(20, method, id, c->args, c->w.size, c->result, &c->size);
}

static uint32_t birth_of(int64_t calls) {
    static __thread struct call c;
    nyash_write_i64(&prepare(&c)->w, calls);
    CHECK(call(&c, 0, 0) == NYASH_OK && c.size == 4);
    return nyash_get_u32(c.result);
}

static int64_t calls_of(uint32_t id) {
    static __thread struct call c;
    prepare(&c);
    CHECK(call(&c, 5, id) == NYASH_OK && c.size == 16);
    return (int64_t)nyash_get_u64(c.result + 8);
}

static int32_t end(uint32_t id) {
    size_t size = 0;
    return nyash_plugin_invoke(20, NYASH_METHOD_FINI, id, NULL, 0, NULL, &size);
}

static int message_is(const struct call *c, const char *want) {
    size_t n = strlen(want);
    return c->size == 8 + n && c->result[4] == NYASH_TAG_STRING && memcmp(c->result + 8, want, n) == 0;
}

/* A buffer that is too short has no effect, and every length is asked for exactly. */
static void short_buffers(void) {
    static struct call c;
    uint32_t id = birth_of(5);
    static const struct {
        uint32_t method;
        size_t need;
    } cases[] = {{1, 108}, {2, 8 + 65535}, {3, 24}, {7, 16}, {12, 8 + 65535}, {13, 8 + 65535}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t room = 0; room < 30 && room < cases[i].need; room++) {
            prepare(&c);
            if (cases[i].method == 12)
                nyash_write_i64(&c.w, 65535);
            else if (cases[i].method == 1 || cases[i].method == 2 || cases[i].method == 13)
                nyash_write_string(&c.w, "abc", 3);
            if (cases[i].method == 3)
                nyash_write_blob(&c.w, (uintptr_t)"abc", 3);
            c.size = room;
            CHECK(call(&c, cases[i].method, id) == NYASH_E_SHORT_BUFFER);
            CHECK(c.size == cases[i].need);
        }
    }
    for (size_t room = 0; room < 4; room++) {
        nyash_write_i64(&prepare(&c)->w, 1);
        c.size = room;
        CHECK(call(&c, 0, 0) == NYASH_E_SHORT_BUFFER && c.size == 4);
    }
    /* What can never be returned is not asked for either. */
    static const int64_t never[] = {65536, 65600, INT32_MAX, INT64_MAX, -9, -8, -1};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        char want[128];
        snprintf(want, sizeof want, "the result of reserve has %zu bytes, at most 65535 can be returned", (size_t)never[i]);
        nyash_write_i64(&prepare(&c)->w, never[i]);
        CHECK(call(&c, 12, id) == NYASH_E_PLUGIN && message_is(&c, want));
        nyash_write_i64(&prepare(&c)->w, never[i]);
        c.size = 0;
        CHECK(call(&c, 12, id) == NYASH_E_PLUGIN && c.size == 0);
    }
    CHECK(calls_of(id) == 5 && allocated == 0);
    nyash_write_i64(&prepare(&c)->w, 65535);
    CHECK(call(&c, 12, id) == NYASH_OK && c.size == 8 + 65535 && calls_of(id) == 6);
    CHECK(end(id) == NYASH_OK && end(id) == NYASH_E_INVALID_HANDLE);
}

static void arguments(void) {
    static struct call c;
    uint32_t id = birth_of(0), second = birth_of(3);
    nyash_write_bool(&prepare(&c)->w, 1);
    nyash_write_i32(&c.w, 2), nyash_write_i32(&c.w, -3), nyash_write_f32(&c.w, 0.5f), nyash_write_f32(&c.w, 8);
    CHECK(call(&c, 4, id) == NYASH_OK && c.size == 16 && nyash_get_u64(c.result + 8) == UINT64_C(0x4021000000000000));
    prepare(&c);
    CHECK(call(&c, 4, id) == NYASH_E_INVALID_ARGS && message_is(&c, "argument 1 (a) is missing: wanted bool"));
    nyash_write_i64(&prepare(&c)->w, 1);
    CHECK(call(&c, 4, id) == NYASH_E_INVALID_ARGS && message_is(&c, "argument 1 (a): wanted bool, got i64"));
    nyash_write_void(&prepare(&c)->w), nyash_write_void(&c.w), nyash_write_void(&c.w);
    CHECK(call(&c, 1, id) == NYASH_E_INVALID_ARGS && message_is(&c, "text takes 1 argument, got 3"));
    CHECK(prepare(&c) && (call(&c, 11, id)) == NYASH_E_INVALID_ARGS && message_is(&c, "argument 1 (first) is missing: wanted a value"));
    nyash_write_void(&prepare(&c)->w);
    CHECK(call(&c, 11, id) == NYASH_OK);
    nyash_write_string(&prepare(&c)->w, "ab", 2);
    c.args[8] = 0xC3;
    CHECK(call(&c, 1, id) == NYASH_E_INVALID_UTF8);
    nyash_write_handle(&prepare(&c)->w, 20, 4000000000u);
    CHECK(call(&c, 6, id) == NYASH_E_INVALID_HANDLE && message_is(&c, "there is no All with instance id 4000000000"));
    nyash_write_handle(&prepare(&c)->w, 21, second);
    CHECK(call(&c, 6, id) == NYASH_E_INVALID_ARGS);
    nyash_write_handle(&prepare(&c)->w, 20, second);
    CHECK(call(&c, 6, id) == NYASH_OK && c.size == 0 && calls_of(id) == 1 && calls_of(second) == 2);
    nyash_write_handle(&prepare(&c)->w, 20, id);
    CHECK(call(&c, 6, id) == NYASH_OK && calls_of(id) == 1);
    nyash_write_blob(&prepare(&c)->w, 0, 5);
    CHECK(call(&c, 3, id) == NYASH_E_INVALID_ARGS);
    nyash_write_blob(&prepare(&c)->w, 1, UINT64_MAX);
    CHECK(call(&c, 3, id) == NYASH_E_INVALID_ARGS);
    prepare(&c);
    for (int i = 0; i < 20; i++)
        nyash_write_i32(&c.w, i); /* more than NYASH_MAX_ARGS */
    CHECK(call(&c, 8, id) == NYASH_OK && nyash_get_u64(c.result + 8) == 80);
    for (uint32_t method = 14; method <= 15; method++) {
        nyash_write_string(&prepare(&c)->w, "abc", 3);
        CHECK(call(&c, method, id) == NYASH_OK && nyash_get_u64(c.result + 8) == 3);
        nyash_write_string(&prepare(&c)->w, "a\0c", 3);
        CHECK(call(&c, method, id) == NYASH_E_INVALID_ARGS);
        CHECK(message_is(&c, method == 14 ? "argument 1 (path): a path cannot hold a NUL byte"
                                          : "argument 1 (?): a text cannot hold a NUL byte"));
    }
    CHECK(call(prepare(&c), 99, id) == NYASH_E_INVALID_METHOD && message_is(&c, "All has no method with id 99"));
    c.size = sizeof c.result;
    CHECK(nyash_plugin_invoke(6, 1, id, c.args, 4, c.result, &c.size) == NYASH_E_INVALID_TYPE);
    CHECK(message_is(&c, "this library has no type 6"));
    /* An instance of one box is none of the other's. */
    CHECK(nyash_plugin_invoke(21, 1, id, c.args, 4, c.result, &c.size) == NYASH_E_INVALID_HANDLE);
    nyash_write_i64(&prepare(&c)->w, -1);
    CHECK(call(&c, 0, 0) == BIRTH_ERROR && message_is(&c, "not below zero"));
    CHECK(end(id) == NYASH_OK && end(second) == NYASH_OK);
}

static void results(void) {
    static struct call c;
    uint32_t id = birth_of(0), copy;
    int64_t before;
    nyash_write_blob(&prepare(&c)->w, (uintptr_t)"hello", 5);
    CHECK(call(&c, 3, id) == NYASH_OK && c.size == 24 && allocated == 1 && nyash_get_u64(c.result + 16) == 5);
    host_free((uint8_t *)(uintptr_t)nyash_get_u64(c.result + 8));
    nyash_write_string(&prepare(&c)->w, "b", 1);
    CHECK(call(&c, 9, id) == NYASH_E_PLUGIN && c.size == sizeof c.result && allocated == 0);
    nyash_write_string(&prepare(&c)->w, "t", 1);
    CHECK(call(&c, 9, id) == NYASH_E_PLUGIN &&
          message_is(&c, "a mistake in the plugin: wrong returned string, not blob as declared"));
    nyash_write_string(&prepare(&c)->w, "s", 1);
    CHECK(call(&c, 9, id) == NYASH_E_PLUGIN);
    nyash_write_string(&prepare(&c)->w, "n", 1);
    CHECK(call(&c, 9, id) == NYASH_E_PLUGIN && message_is(&c, "a mistake in the plugin: wrong returned no result"));
    CHECK(call(prepare(&c), 10, id) == NYASH_E_INVALID_UTF8 && message_is(&c, "the result of notUTF8 is not UTF-8 at byte 2"));
    /* A message is cut between characters. */
    for (size_t room = 24; room < 60; room++) {
        nyash_write_string(&prepare(&c)->w, "?", 1);
        c.size = room;
        CHECK(call(&c, 9, id) == 1234 && c.size <= room && (c.size >= room - 3 || c.size == 35));
        CHECK(nyash_utf8_valid(c.result + 8, c.size - 8) == c.size - 8);
    }
    for (int i = 0; i < 101; i++)
        c.args[8 + i] = 'x';
    prepare(&c);
    memcpy(c.args + 4, "\6\0\145\0", 4); /* 101 bytes, and 100 are declared */
    c.args[2] = 1, c.w.size = 109;
    CHECK(call(&c, 1, id) == NYASH_E_PLUGIN);
    CHECK(call(prepare(&c), 7, id) == NYASH_OK && c.size == 16 && nyash_get_u32(c.result + 8) == 20);
    copy = nyash_get_u32(c.result + 12);
    CHECK(copy != id && end(copy) == NYASH_OK && end(id) == NYASH_OK);
    /* An instance that is not the result after all ends with the call. */
    for (int64_t calls = 99; calls >= 96; calls--) {
        id = birth_of(calls), before = ended;
        CHECK(call(prepare(&c), 7, id) == NYASH_E_PLUGIN && ended == before + 1 && nyash_state.in_use == 1);
        CHECK(end(id) == NYASH_OK);
    }
    id = birth_of(95), before = ended;
    CHECK(call(prepare(&c), 7, id) == NYASH_OK && nyash_get_u32(c.result + 12) == id && ended == before + 1);
    CHECK(end(id) == NYASH_OK);
    id = birth_of(94), before = ended;
    CHECK(call(prepare(&c), 7, id) == NYASH_OK && nyash_get_u32(c.result + 12) != id && ended == before);
    CHECK(end(nyash_get_u32(c.result + 12)) == NYASH_OK && end(id) == NYASH_OK && nyash_state.in_use == 0);
}

/* Threads call, move between, clone and end the same few instances. */
enum { SHARED = 8, THREADS = 8, GROWTH = 1000 };
static uint32_t shared[SHARED];
static int rounds;
static int64_t born;

static void *work(void *seed) {
    unsigned r = (unsigned)(uintptr_t)seed;
    struct call *c = malloc(sizeof *c);
    for (int i = 0; i < rounds; i++) {
        uint32_t *place = &shared[(r = r * 1103515245 + 12345) >> 16 & (SHARED - 1)];
        uint32_t id = __atomic_load_n(place, __ATOMIC_SEQ_CST);
        int32_t code;
        prepare(c);
        switch (r >> 20 & 7) {
        case 0:
            id = __atomic_exchange_n(place, birth_of(1000), __ATOMIC_SEQ_CST);
            __atomic_add_fetch(&born, 1, __ATOMIC_SEQ_CST);
            CHECK(end(id) == NYASH_OK);
            break;
        case 1:
            code = call(c, 7, id);
            CHECK(code == NYASH_OK || code == NYASH_E_INVALID_HANDLE);
            if (code != NYASH_OK)
                break;
            __atomic_add_fetch(&born, 1, __ATOMIC_SEQ_CST);
            CHECK(end(nyash_get_u32(c->result + 12)) == NYASH_OK);
            break;
        case 2:
        case 3:
            nyash_write_handle(&c->w, 20, __atomic_load_n(&shared[r >> 8 & (SHARED - 1)], __ATOMIC_SEQ_CST));
            code = call(c, 6, id);
            CHECK(code == NYASH_OK || code == NYASH_E_INVALID_HANDLE);
            break;
        default:
            code = call(c, 5, id);
            CHECK(code == NYASH_OK || code == NYASH_E_INVALID_HANDLE);
        }
    }
    free(c);
    return NULL;
}

static void threads(void) {
    pthread_t all_threads[THREADS];
    uint32_t more[GROWTH];
    int64_t before = ended;
    born = SHARED;
    for (int i = 0; i < SHARED; i++)
        shared[i] = birth_of(1000);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&all_threads[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0);
    for (int i = 0; i < GROWTH; i++) /* the table grows under their calls */
        more[i] = birth_of(i);
    for (int i = 0; i < GROWTH; i++)
        CHECK(end(more[i]) == NYASH_OK);
    for (int i = 0; i < THREADS; i++)
        pthread_join(all_threads[i], NULL);
    for (int i = 0; i < SHARED; i++)
        CHECK(end(shared[i]) == NYASH_OK);
    CHECK(ended - before == born + GROWTH);
}

int main(int argc, char **argv) {
    NyashPluginInfo info = {0};
    uint32_t first, last = 0;
    rounds = argc > 1 ? atoi(argv[1]) : 1000;
    for (int round = 0; round < 2; round++) {
        if (argc > 2)
            fputs(nyash_plugin_config(), stdout);
        CHECK(nyash_plugin_abi() == 1 && nyash_plugin_init(&host, &info) == NYASH_OK);
        CHECK(strcmp(info.type_name, "All") == 0 && info.method_count == 17 && strcmp(logged, "0 All is ready") == 0);
        first = birth_of(0);
        CHECK(first > last); /* ids are not used again after a shutdown */
        CHECK(end(first) == NYASH_OK);
        short_buffers();
        arguments();
        results();
        threads();
        int64_t before = ended;
        for (int i = 0; i < 3000; i++) {
            uint32_t id = birth_of(i);
            CHECK(id > last);
            last = id;
            if (i % 3 == 0)
                CHECK(end(id) == NYASH_OK);
        }
        nyash_plugin_shutdown();
        CHECK(ended - before == 3000 && allocated == 0);
        CHECK(end(last) == NYASH_E_INVALID_HANDLE);
        CHECK(nyash_state.instances == NULL && nyash_state.table == NULL);
    }
    return 0;
}
