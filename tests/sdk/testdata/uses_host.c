/* Plays the host of a plugin that calls its host: uses_host LIBRARY. Reads commands
 * from standard input and prints what the plugin asks for and answers:
 *
 *     new ARG...             makes an instance of the plugin's box
 *     call ID METHOD ARG...  calls a method of it, by its name
 *     fini ID
 *     threads ID METHOD N    eight threads call a method without arguments, N times each
 *     shutdown, load         load is abi, connect and init
 *     unload                 without a shutdown, as the end of the process
 *     close                  the host answers -5 from then on
 *     quiet                  prints no more of what the plugin asks for
 *     holds                  what the plugin holds
 *
 * ARG is i32:5, i64:5, text:abc, or box:VALUE for a CounterBox that the host makes and
 * lends. */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdarg.h>

#include "nyash.h"

enum { COUNTER = 9001, CLOCK, OTHER, MAX_BOXES = 200000 };

static const struct {
    const char *box, *method;
    uint32_t type, id;
} methods[] = {
    {"CounterBox", "birth", COUNTER, 0},  {"CounterBox", "fini", COUNTER, UINT32_MAX},
    {"CounterBox", "add", COUNTER, 11},   {"CounterBox", "get", COUNTER, 12},
    {"CounterBox", "clone", COUNTER, 13}, {"CounterBox", "same", COUNTER, 14},
    {"CounterBox", "fail", COUNTER, 15},  {"CounterBox", "text", COUNTER, 16},
    {"CounterBox", "bytes", COUNTER, 17}, {"CounterBox", "blob", COUNTER, 18},
    {"CounterBox", "sum", COUNTER, 19},   {"CounterBox", "echo", COUNTER, 20},
    {"CounterBox", "void", COUNTER, 21},  {"CounterBox", "silent", COUNTER, 22},
    {"CounterBox", "break", COUNTER, 23}, {"CounterBox", "back", COUNTER, 24},
    {"ClockBox", "birth", CLOCK, 0},      {"ClockBox", "now", CLOCK, 31},
    {"OtherBox", "birth", OTHER, 0},      {"OtherBox", "get", OTHER, 12},
};
#define METHODS (sizeof methods / sizeof methods[0])

typedef struct Box {
    uint32_t type;
    int64_t value;
    int holds;
} Box;

static Box boxes[MAX_BOXES]; /* by instance id */
static uint32_t last = 500;
static NyashMutex lock = NYASH_MUTEX_INIT;
static int loud = 1, closed;
static long blocks; /* of alloc */

static int32_t (*plugin_invoke)(uint32_t, uint32_t, uint32_t, const uint8_t *, size_t, uint8_t *, size_t *);
static NyashPluginInfo info;

static void die(const char *what) {
    printf("%s\n", what);
    exit(1);
}

static uint32_t made(uint32_t type, int64_t value, int holds) {
    if (last == MAX_BOXES) die("too many boxes");
    last++;
    boxes[last].type = type;
    boxes[last].value = value;
    boxes[last].holds = holds;
    return last;
}

/* Prints a value. Long ones are cut. */
static void show(const NyashValue *v) {
    NyashText text = nyash_value_string(v);
    NyashBytes bytes = nyash_value_bytes(v);
    switch (v->tag) {
    case NYASH_TAG_BOOL: printf("bool %d", nyash_value_bool(v)); break;
    case NYASH_TAG_I32: printf("i32 %" PRId32, nyash_value_i32(v)); break;
    case NYASH_TAG_I64: printf("i64 %" PRId64, nyash_value_i64(v)); break;
    case NYASH_TAG_F32: printf("f32 %g", (double)nyash_value_f32(v)); break;
    case NYASH_TAG_F64: printf("f64 %g", nyash_value_f64(v)); break;
    case NYASH_TAG_STRING:
        if (text.size > 100) printf("a text of %zu bytes", text.size);
        else printf("\"%.*s\"", (int)text.size, text.data);
        break;
    case NYASH_TAG_BYTES: printf("%zu bytes", bytes.size); break;
    case NYASH_TAG_HANDLE: printf("handle %u %u", nyash_value_type(v), nyash_value_instance(v)); break;
    case NYASH_TAG_BLOB: printf("a blob of %zu bytes", nyash_value_blob(v).size); break;
    default: printf("void");
    }
}

static void show_message(const uint8_t *data, size_t size) {
    NyashReader r;
    NyashValue v;
    const char *between = "";
    int more;
    if (nyash_reader_open(&r, data, size) != 0) die("no TLV");
    while ((more = nyash_reader_next(&r, &v)) > 0) {
        printf("%s", between);
        show(&v);
        between = ", ";
    }
    if (more < 0) die("malformed TLV");
}

static uint8_t *host_alloc(size_t size) {
    __atomic_add_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
    return malloc(size == 0 ? 1 : size);
}

static void host_free(uint8_t *p) {
    if (p != NULL) __atomic_sub_fetch(&blocks, 1, __ATOMIC_SEQ_CST);
    free(p);
}

static void host_wake(uint64_t handle) { (void)handle; }

static void host_log(int32_t level, const char *text) {
    if (level >= NYASH_LOG_INFO) printf("log: %s\n", text);
}

static const NyashHostVtable vtable = {host_alloc, host_free, host_wake, host_log};

static int32_t host_resolve(const char *box, const char *method, uint32_t *type_id, uint32_t *method_id) {
    int32_t code = NYASH_E_INVALID_TYPE;
    for (size_t i = 0; i < METHODS && code != NYASH_OK; i++) {
        if (strcmp(methods[i].box, box) != 0) continue;
        code = NYASH_E_INVALID_METHOD;
        if (strcmp(methods[i].method, method) != 0) continue;
        code = NYASH_OK;
        *type_id = methods[i].type;
        *method_id = methods[i].id;
    }
    if (strcmp(box, "SecretBox") == 0) code = NYASH_E_NOT_PERMITTED;
    if (closed) code = NYASH_E_PLUGIN;
    if (loud) printf("  resolve %s.%s: %d\n", box, method, code);
    return code;
}

/* An answer that is being made. */
typedef struct Answer {
    int32_t code;
    uint8_t *data;
    size_t size, capacity;
    uint32_t held; /* given with it */
} Answer;

static NyashWriter *begin(Answer *a, NyashWriter *w, size_t room) {
    a->capacity = room + 16;
    a->data = malloc(a->capacity);
    nyash_writer_open(w, a->data, a->capacity);
    return w;
}

static void finish(Answer *a, const NyashWriter *w) { a->size = w->size; }

static void refuse(Answer *a, int32_t code, const char *format, ...) {
    NyashWriter w;
    char text[4000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    a->code = code;
    nyash_write_string(begin(a, &w, sizeof text), text, strlen(text));
    finish(a, &w);
}

/* Calls the plugin back, on this thread, and answers what it answers. */
static void call_back(Answer *a, const NyashValue *self, int64_t method) {
    static const uint8_t none[4] = {1, 0, 0, 0};
    a->data = malloc(a->size = 70000);
    a->code = plugin_invoke(nyash_value_type(self), (uint32_t)method, nyash_value_instance(self), none, 4, a->data, &a->size);
}

/* An answer that is none. */
static void misbehave(Answer *a, int64_t how) {
    static const uint8_t two[] = {1, 0, 2, 0, 9, 0, 0, 0, 9, 0, 0, 0};
    a->data = calloc(1, a->size = sizeof two);
    memcpy(a->data, two, sizeof two);
    if (how == 1) a->data[2] = 1;         /* trailing bytes */
    if (how == 2) a->size = 3;            /* cut off */
    if (how == 3) a->code = -1, a->size = 0; /* ever more room */
    if (how == 4) a->code = 4321, a->size = 3; /* an error without a message */
    if (how == 5) a->size = SIZE_MAX;     /* longer than the room */
    if (how == 6) {                       /* a message that is no text */
        NyashWriter w;
        a->code = NYASH_E_PLUGIN;
        free(a->data);
        nyash_write_i64(begin(a, &w, 16), 7);
        finish(a, &w);
    }
}

static void make_call(Answer *a, uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len) {
    Box *box = &boxes[instance < MAX_BOXES ? instance : 0];
    NyashValue v[4] = {{NYASH_TAG_VOID, 0, NULL}, {NYASH_TAG_VOID, 0, NULL}, {NYASH_TAG_VOID, 0, NULL}, {NYASH_TAG_VOID, 0, NULL}};
    NyashReader r;
    NyashWriter w;
    size_t n = 0, size;
    uint8_t *blob;
    int64_t sum = 0;
    if (nyash_reader_open(&r, args, args_len) != 0) die("arguments that are no TLV");
    while (n < 4 && nyash_reader_next(&r, &v[n]) > 0) n++;
    if (r.error != 0) die("malformed arguments");
    if (closed) return refuse(a, NYASH_E_PLUGIN, "the host is closing");
    if (method == NYASH_METHOD_BIRTH) {
        if (n > 0 && v[0].tag == NYASH_TAG_STRING) return refuse(a, NYASH_E_INVALID_ARGS, "argument 1 (start): wanted i64, got string");
        a->held = type == CLOCK ? 1 : made(type, nyash_value_i64(&v[0]), 0);
        boxes[a->held].type = type;
        boxes[a->held].holds++;
        nyash_put_u32(a->data = malloc(4), a->held);
        a->size = 4;
        return;
    }
    if (box->holds <= 0 || box->type != type) return refuse(a, NYASH_E_INVALID_HANDLE, "there is no instance %u", instance);
    size = (size_t)nyash_value_i64(&v[0]);
    begin(a, &w, 70000);
    switch (method) {
    case NYASH_METHOD_FINI: box->holds--; break;
    case 11: nyash_write_i64(&w, box->value += nyash_value_i64(&v[0])); break;
    case 12: nyash_write_i64(&w, box->value); break;
    case 13: nyash_write_handle(&w, COUNTER, a->held = made(COUNTER, box->value, 1)); break;
    case 14:
        box->holds++;
        nyash_write_handle(&w, COUNTER, a->held = instance);
        break;
    case 15:
        free(a->data);
        return refuse(a, nyash_value_i32(&v[0]), "%.*s", (int)nyash_value_string(&v[1]).size, nyash_value_string(&v[1]).data);
    case 16:
    case 17:
        blob = calloc(1, size + 1);
        memset(blob, 'x', size);
        if (method == 16) nyash_write_string(&w, (char *)blob, size);
        else nyash_write_bytes(&w, blob, size);
        free(blob);
        break;
    case 18:
        blob = size == 0 ? NULL : host_alloc(size);
        if (blob != NULL) memset(blob, 1, size);
        nyash_write_blob(&w, (uintptr_t)blob, size);
        break;
    case 19:
        for (size_t i = 0; i < nyash_value_blob(&v[0]).size; i++) sum += nyash_value_blob(&v[0]).data[i];
        nyash_write_i64(&w, sum);
        break;
    case 20:
        if (v[0].tag == NYASH_TAG_HANDLE) boxes[a->held = nyash_value_instance(&v[0])].holds++;
        nyash_write_data(&w, v[0].tag, v[0].data, v[0].size);
        break;
    case 21: w.size = 0; break;
    case 22: w.size = SIZE_MAX - 1; break;
    case 23: free(a->data); return misbehave(a, nyash_value_i64(&v[0]));
    case 24: free(a->data); return call_back(a, &v[0], nyash_value_i64(&v[1]));
    case 31: nyash_write_i64(&w, 1234); break;
    default: free(a->data); return refuse(a, NYASH_E_INVALID_METHOD, "no method %u", method);
    }
    finish(a, &w);
}

/* The answer that did not fit, with the call that it is of. */
static __thread struct {
    uint32_t ids[3];
    uint8_t *args;
    size_t args_len;
    Answer answer;
} kept;

static int is_kept(const uint32_t *ids, const uint8_t *args, size_t args_len) {
    return kept.args != NULL && memcmp(ids, kept.ids, sizeof kept.ids) == 0 && args_len == kept.args_len &&
           memcmp(args, kept.args, args_len) == 0;
}

static void drop_kept(void) {
    free(kept.args);
    free(kept.answer.data);
    memset(&kept, 0, sizeof kept);
}

static const char *name_of(uint32_t type, uint32_t method) {
    static __thread char name[80];
    for (size_t i = 0; i < METHODS; i++) {
        if (methods[i].type != type || (methods[i].id != method && method != UINT32_MAX)) continue;
        snprintf(name, sizeof name, "%s.%s", methods[i].box, method == UINT32_MAX ? "fini" : methods[i].method);
        return name;
    }
    return "?";
}

static int32_t host_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                           uint8_t *result, size_t *result_len) {
    uint32_t ids[3] = {type, method, instance};
    Answer a = {0, NULL, 0, 0, 0};
    size_t room = *result_len;
    if (is_kept(ids, args, args_len)) {
        if (loud) printf("  again with %zu\n", room);
        a = kept.answer;
        kept.answer.data = NULL;
    } else {
        if (loud) {
            printf("  %s(%u", name_of(type, method), instance);
            if (args_len > 4) printf(": ");
            show_message(args, args_len);
            printf(")\n");
        }
        if (method != 24) nyash_lock(&lock); /* a call that comes back needs it too */
        make_call(&a, type, method, instance, args, args_len);
        if (method != 24) nyash_unlock(&lock);
    }
    drop_kept();
    if (a.size >= SIZE_MAX - 1) { /* 22 leaves both alone, 23 says too much */
        *result_len = a.size == SIZE_MAX ? room + 1 : room;
        free(a.data);
        return a.code;
    }
    if (a.code == NYASH_E_SHORT_BUFFER) {
        *result_len = room * 2;
        free(a.data);
        return a.code;
    }
    *result_len = a.size;
    if (a.code != NYASH_OK && a.size > room) a.size = *result_len = 0; /* no room for the message */
    if (a.size > room) {
        memcpy(kept.ids, ids, sizeof ids);
        kept.args = malloc(args_len);
        memcpy(kept.args, args, kept.args_len = args_len);
        kept.answer = a;
        return NYASH_E_SHORT_BUFFER;
    }
    if (a.size > 0) memcpy(result, a.data, a.size);
    free(a.data);
    return a.code;
}

static const NyashHostCalls calls = {sizeof calls, NYASH_HOST_CALLS_VERSION, host_resolve, host_invoke};

static void *library;
static int loaded;

static void *symbol(const char *name) {
    void *at = dlsym(library, name);
    if (at == NULL) die(dlerror());
    return at;
}

static void load(void) {
    int32_t (*connect)(const NyashHostCalls *);
    int32_t (*init)(const NyashHostVtable *, NyashPluginInfo *);
    NyashHostCalls old = calls;
    *(void **)&connect = symbol("nyash_plugin_connect");
    *(void **)&init = symbol("nyash_plugin_init");
    *(void **)&plugin_invoke = symbol("nyash_plugin_invoke");
    old.version = 2;
    if (connect(NULL) == 0 || connect(&old) == 0) die("connect takes anything");
    old.version = 1, old.struct_size = 8;
    if (connect(&old) == 0) die("connect takes anything");
    memset(&info, 0, sizeof info);
    printf("connect: %d\n", connect(&calls));
    printf("init: %d\n", init(&vtable, &info));
    loaded = 1;
}

static void shut_down(void) {
    void (*shutdown)(void);
    *(void **)&shutdown = symbol("nyash_plugin_shutdown");
    shutdown();
    loaded = 0;
}

static uint32_t method_id(const char *name) {
    if (strcmp(name, "new") == 0) return 0;
    for (size_t i = 0; i < info.method_count; i++)
        if (strcmp(info.methods[i].name, name) == 0) return info.methods[i].method_id;
    printf("%s: ", name);
    die("no such method");
    return 0;
}

/* Makes a call of the words that are left of a line, and prints the answer. */
static void call(uint32_t id, uint32_t method, char **rest) {
    static uint8_t args[4096], result[70000];
    size_t size = sizeof result;
    NyashWriter w;
    uint32_t lent = 0;
    char *word;
    nyash_writer_open(&w, args, sizeof args);
    while ((word = strtok_r(NULL, " \n", rest)) != NULL) {
        const char *text = strchr(word, ':') + 1;
        if (strncmp(word, "i32:", 4) == 0) nyash_write_i32(&w, atoi(text));
        else if (strncmp(word, "i64:", 4) == 0) nyash_write_i64(&w, atoll(text));
        else if (strncmp(word, "text:", 5) == 0) nyash_write_string(&w, text, strlen(text));
        else if (strncmp(word, "box:", 4) == 0) nyash_write_handle(&w, COUNTER, lent = made(COUNTER, atoll(text), 1));
        else if (strncmp(word, "other:", 6) == 0) nyash_write_handle(&w, OTHER, lent = made(OTHER, atoll(text), 1));
        else die(word);
    }
    int32_t code = plugin_invoke(info.type_id, method, id, args, w.size, result, &size);
    if (lent != 0) boxes[lent].holds--;
    if (code != NYASH_OK) printf("error %d ", code);
    if (code == NYASH_OK && method == 0) printf("id %u", nyash_get_u32(result));
    else if (size == 0) printf("void");
    else if (size < sizeof result) show_message(result, size);
    printf("\n");
}

typedef struct Work {
    uint32_t id, method;
    int times, failed;
} Work;

static void *work(void *p) {
    static const uint8_t none[4] = {1, 0, 0, 0};
    Work *w = p;
    for (int i = 0; i < w->times; i++) {
        uint8_t result[256];
        size_t size = sizeof result;
        if (plugin_invoke(info.type_id, w->method, w->id, none, 4, result, &size) != NYASH_OK) w->failed++;
    }
    return NULL;
}

static void threads(uint32_t id, uint32_t method, int times) {
    pthread_t all[8];
    Work w[8];
    int failed = 0;
    for (int i = 0; i < 8; i++) {
        w[i] = (Work){id, method, times, 0};
        if (pthread_create(&all[i], NULL, work, &w[i]) != 0) die("no thread");
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(all[i], NULL);
        failed += w[i].failed;
    }
    printf("%d failed\n", failed);
}

static void show_holds(void) {
    int sum = 0;
    for (uint32_t i = 1; i <= last; i++) {
        if (boxes[i].holds < 0) die("given up more than once");
        sum += boxes[i].holds;
    }
    printf("holds %d, blocks %ld\n", sum, blocks);
}

int main(int argc, char **argv) {
    static char line[4096];
    if (argc < 2 || (library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL)) == NULL) die(dlerror());
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *rest, *command = strtok_r(line, " \n", &rest);
        if (command == NULL) continue;
        if (strcmp(command, "load") == 0) load();
        else if (strcmp(command, "shutdown") == 0) shut_down(), printf("shut down\n");
        else if (strcmp(command, "unload") == 0) return dlclose(library);
        else if (strcmp(command, "close") == 0) closed = 1;
        else if (strcmp(command, "quiet") == 0) loud = 0;
        else if (strcmp(command, "holds") == 0) show_holds();
        else if (strcmp(command, "new") == 0) call(0, 0, &rest);
        else {
            uint32_t id = (uint32_t)atoi(strtok_r(NULL, " \n", &rest));
            if (strcmp(command, "fini") == 0) call(id, NYASH_METHOD_FINI, &rest);
            else if (strcmp(command, "call") == 0) {
                uint32_t method = method_id(strtok_r(NULL, " \n", &rest));
                call(id, method, &rest);
            } else if (strcmp(command, "threads") == 0) {
                uint32_t method = method_id(strtok_r(NULL, " \n", &rest));
                threads(id, method, atoi(strtok_r(NULL, " \n", &rest)));
            } else die(command);
        }
    }
    loud = 0;
    if (loaded) shut_down();
    drop_kept();
    return dlclose(library);
}
