#define _POSIX_C_SOURCE 200809L
/* A plugin that calls whatever it is asked to call. Box TYPE_NAME, type TYPE_ID.
 *
 * A method that calls takes the names of a box and a method and then what it passes on,
 * and answers what it was answered: results as they are, codes with their messages. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nyash_plugin.h"

#ifndef TYPE_ID
#define TYPE_ID 900
#endif
#ifndef TYPE_NAME
#define TYPE_NAME "Relay"
#endif

#define METHODS(M)                                                                     \
    M(ask, 1) M(hold, 2) M(held, 3) M(drop, 4) M(give, 5) M(on, 6) M(keep, 7)          \
    M(raw, 8) M(thread, 9) M(room, 10) M(recurse, 11) M(resolve, 12) M(take, 13)       \
    M(back, 14) M(make, 15) M(add, 16) M(echo, 17) M(block, 18) M(release, 19)         \
    M(crash, 20) M(length, 21) M(blob, 22) M(initCode, 23) M(loop, 24) M(waiting, 25)  \
    M(linger, 26) M(fail, 27) M(finis, 28) M(lingering, 29) M(sendBlob, 30) M(getBlob, 31) M(births, 32) \
    M(asleep, 33) M(median, 34) M(makers, 35) M(with, 36) M(unfetched, 37)

enum {
#define M(name, id) METHOD_##name = id,
    METHODS(M)
#undef M
};

#define MAX_ROOM (1 << 20)
#define SLOTS 16

typedef struct {
    uint32_t type_id, instance_id;
    char box[64];
} Handle;

static const NyashHostVtable *table;
static const NyashHostCalls *calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t last_id;
static int64_t births, finis, waiting;
static bool released;
static int32_t init_code = 1;
static Handle slots[SLOTS];
static volatile int64_t lingered; /* what a thread that was left behind was last answered */

/* A message that is read, or written. */
typedef struct {
    const uint8_t *at, *end;
    bool bad;
} Reader;

typedef struct {
    uint8_t tag;
    uint16_t size;
    const uint8_t *payload, *from; /* from: of the whole entry */
} Entry;

static Entry next(Reader *r) {
    Entry e = {0, 0, NULL, NULL};
    if (r->bad || r->end - r->at < 4) {
        r->bad = true;
        return e;
    }
    e.from = r->at;
    e.tag = r->at[0];
    memcpy(&e.size, r->at + 2, 2);
    e.payload = r->at + 4;
    r->at += 4 + e.size;
    return e;
}

static void text(Reader *r, char *to, size_t room) {
    Entry e = next(r);
    if (r->bad || e.tag != NYASH_TAG_STRING || e.size >= room) {
        r->bad = true;
        return;
    }
    memcpy(to, e.payload, e.size);
    to[e.size] = 0;
}

static int64_t number(Reader *r) {
    Entry e = next(r);
    int64_t n = 0;
    if (r->bad || e.tag != NYASH_TAG_I64) {
        r->bad = true;
        return 0;
    }
    memcpy(&n, e.payload, 8);
    return n;
}

static Handle handle(Reader *r) {
    Entry e = next(r);
    Handle h = {0, 0, ""};
    if (r->bad || e.tag != NYASH_TAG_HANDLE) {
        r->bad = true;
        return h;
    }
    memcpy(&h.type_id, e.payload, 4);
    memcpy(&h.instance_id, e.payload + 4, 4);
    return h;
}

static int32_t answer(uint8_t tag, const void *payload, uint16_t size, uint8_t *result, size_t *len) {
    size_t need = 8 + (size_t)size;
    if (*len < need) {
        *len = need;
        return NYASH_E_SHORT_BUFFER;
    }
    const uint8_t head[8] = {1, 0, 1, 0, tag, 0, (uint8_t)size, (uint8_t)(size >> 8)};
    memcpy(result, head, 8);
    memcpy(result + 8, payload, size);
    *len = need;
    return NYASH_OK;
}

static int32_t answer_int(int64_t n, uint8_t *result, size_t *len) {
    return answer(NYASH_TAG_I64, &n, 8, result, len);
}

/* Copies what is left of a message into one of its own. */
static size_t rest(const Reader *r, uint8_t *to) {
    uint16_t count = 0;
    Reader left = *r;
    while (!left.bad && left.at < left.end) {
        next(&left);
        count++;
    }
    const uint8_t head[4] = {1, 0, (uint8_t)count, (uint8_t)(count >> 8)};
    memcpy(to, head, 4);
    memcpy(to + 4, r->at, (size_t)(r->end - r->at));
    return 4 + (size_t)(r->end - r->at);
}

static int32_t invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *args,
                      size_t args_len, uint8_t *result, size_t *len) {
    if (calls == NULL) return NYASH_E_PLUGIN;
    return calls->invoke(type_id, method_id, instance_id, args, args_len, result, len);
}

static int32_t birth(const char *box, const uint8_t *args, size_t args_len, Handle *h, uint8_t *result, size_t *len) {
    uint32_t method_id;
    int32_t code = calls == NULL ? NYASH_E_PLUGIN : calls->resolve(box, "birth", &h->type_id, &method_id);
    if (code != NYASH_OK) {
        *len = 0;
        return code;
    }
    snprintf(h->box, sizeof h->box, "%s", box);
    code = invoke(h->type_id, method_id, 0, args, args_len, result, len);
    if (code == NYASH_OK) memcpy(&h->instance_id, result, 4);
    return code;
}

static int32_t fini(const Handle *h) {
    uint8_t none[4] = {1, 0, 0, 0}, result[256];
    size_t len = sizeof result;
    return invoke(h->type_id, NYASH_METHOD_FINI, h->instance_id, none, sizeof none, result, &len);
}

/* Calls a method of h by its name, with a message. */
static int32_t call(const Handle *h, const char *method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *len) {
    uint32_t type_id, method_id;
    int32_t code = calls == NULL ? NYASH_E_PLUGIN : calls->resolve(h->box, method, &type_id, &method_id);
    if (code != NYASH_OK) {
        *len = 0;
        return code;
    }
    return invoke(h->type_id, method_id, h->instance_id, args, args_len, result, len);
}

static int32_t ask(Reader *r, uint8_t *result, size_t *len) {
    char box[64], method[64];
    text(r, box, sizeof box);
    text(r, method, sizeof method);
    if (r->bad) return NYASH_E_INVALID_ARGS;
    uint8_t none[4] = {1, 0, 0, 0};
    uint8_t *args = malloc(8 + (size_t)(r->end - r->at));
    Handle h;
    size_t room = *len;
    int32_t code = birth(box, none, sizeof none, &h, result, len);
    if (code == NYASH_OK) {
        *len = room;
        size_t n = rest(r, args);
        code = call(&h, method, args, n, result, len);
        if (code != NYASH_E_SHORT_BUFFER) fini(&h);
    }
    free(args);
    return code;
}

/* Sleeps by its host's TimeBox. */
__attribute__((unused)) static int32_t sleep_by_host(int64_t ms) {
    uint8_t none[4] = {1, 0, 0, 0}, args[16] = {1, 0, 1, 0, NYASH_TAG_I64, 0, 8, 0}, result[512];
    size_t len = sizeof result;
    Handle h;
    int32_t code = birth("TimeBox", none, sizeof none, &h, result, &len);
    if (code != NYASH_OK) return code;
    memcpy(args + 8, &ms, 8);
    len = sizeof result;
    code = call(&h, "sleep", args, sizeof args, result, &len);
    fini(&h);
    return code;
}

typedef struct {
    Reader r;
    uint8_t *result;
    size_t *len;
    int32_t code;
} Job;

static void *run(void *at) {
    Job *j = at;
    j->code = ask(&j->r, j->result, j->len);
    return NULL;
}

static int32_t on_thread(Reader *r, uint8_t *result, size_t *len) {
    Job j = {*r, result, len, 0};
    pthread_t id;
    if (pthread_create(&id, NULL, run, &j) != 0) return NYASH_E_OUT_OF_MEMORY;
    pthread_join(id, NULL);
    return j.code;
}

/* Asks again and again until it is refused, and then notes with what. */
static void *linger(void *at) {
    Handle h = *(Handle *)at;
    free(at);
    for (;;) {
        uint8_t none[4] = {1, 0, 0, 0}, result[256];
        size_t len = sizeof result;
        int32_t code = call(&h, "finis", none, sizeof none, result, &len);
        lingered = code;
        if (code != NYASH_OK) return NULL;
        sched_yield();
    }
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

typedef struct {
    Handle h;
    const char *name;
    const uint8_t *args;
    size_t args_len;
    int64_t times[1000];
    int n;
    bool pauses; /* in which both sides go to sleep, before each call */
    int32_t code;
} Timed;

static void *time_calls(void *at) {
    Timed *p = at;
    uint32_t type_id, method_id;
    p->code = calls->resolve(p->h.box, p->name, &type_id, &method_id);
    for (int i = 0; i < p->n && p->code == NYASH_OK; i++) {
        const struct timespec pause = {0, 500000};
        struct timespec began, ended;
        uint8_t result[256];
        size_t len = sizeof result;
        if (p->pauses) nanosleep(&pause, NULL);
        clock_gettime(CLOCK_MONOTONIC, &began);
        p->code = invoke(type_id, method_id, p->h.instance_id, p->args, p->args_len, result, &len);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        p->times[i] = (ended.tv_sec - began.tv_sec) * 1000000000LL + ended.tv_nsec - began.tv_nsec;
    }
    return NULL;
}

/* Answers the median of how many nanoseconds a call takes: one after another, or with pauses
 * and from a thread of its own. */
static int32_t median(Reader *r, bool pauses, uint8_t *result, size_t *len) {
    char name[64];
    uint8_t args[256];
    Timed *p = malloc(sizeof *p);
    pthread_t thread;
    int64_t slot = number(r), n = number(r);
    text(r, name, sizeof name);
    if (r->bad || slot < 0 || slot >= SLOTS || n < 1 || n > 1000 || r->end - r->at > 200) {
        free(p);
        return NYASH_E_INVALID_ARGS;
    }
    p->h = slots[slot];
    p->name = name;
    p->n = (int)n;
    p->pauses = pauses;
    p->args = args;
    p->args_len = rest(r, args);
    if (!pauses) {
        time_calls(p);
    } else if (pthread_create(&thread, NULL, time_calls, p) != 0) {
        free(p);
        return NYASH_E_OUT_OF_MEMORY;
    } else {
        pthread_join(thread, NULL);
    }
    qsort(p->times, (size_t)n, sizeof *p->times, compare);
    int32_t code = p->code;
    if (code == NYASH_OK) code = answer_int(p->times[n / 2], result, len);
    free(p);
    return code;
}

/* Has a box make another one like it, and that the next, until that is refused. */
static void *maker(void *at) {
    Handle h = *(Handle *)at;
    uint8_t none[4] = {1, 0, 0, 0}, result[64];
    free(at);
    for (;;) {
        size_t len = sizeof result;
        if (call(&h, "make", none, sizeof none, result, &len) != NYASH_OK) return NULL;
        memcpy(&h.instance_id, result + 12, 4);
    }
}

typedef struct {
    Handle h;
    const char *name;
    const uint8_t *args;
    size_t args_len;
    int32_t code;
} Unfetched;

static void *leave_answer(void *at) {
    Unfetched *u = at;
    size_t none = 0;
    u->code = call(&u->h, u->name, u->args, u->args_len, NULL, &none);
    return NULL;
}

/* Has threads call without a buffer, and answers how many were told that they need one. */
static int32_t unfetched(Reader *r, uint8_t *result, size_t *len) {
    enum { MOST = 60 };
    char name[64];
    pthread_t threads[MOST];
    Unfetched all[MOST];
    int64_t slot = number(r), n = number(r), told = 0;
    text(r, name, sizeof name);
    if (r->bad || slot < 0 || slot >= SLOTS || n < 1 || n > MOST) return NYASH_E_INVALID_ARGS;
    uint8_t *args = malloc(8 + (size_t)(r->end - r->at));
    size_t args_len = rest(r, args);
    for (int i = 0; i < n; i++) {
        all[i] = (Unfetched){slots[slot], name, args, args_len, NYASH_OK};
        if (pthread_create(&threads[i], NULL, leave_answer, &all[i]) != 0) abort();
    }
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        if (all[i].code == NYASH_E_SHORT_BUFFER) told++;
        else if (all[i].code != NYASH_E_OUT_OF_MEMORY) told = -1000;
    }
    free(args);
    return answer_int(told, result, len);
}

static int32_t recurse(int64_t n, uint8_t *result, size_t *len) {
    if (n == 0) return answer_int(0, result, len);
    uint8_t none[4] = {1, 0, 0, 0}, args[16] = {1, 0, 1, 0, NYASH_TAG_I64, 0, 8, 0};
    Handle h;
    size_t room = *len;
    n--;
    memcpy(args + 8, &n, 8);
    int32_t code = birth(TYPE_NAME, none, sizeof none, &h, result, len);
    if (code != NYASH_OK) return code;
    *len = room;
    code = call(&h, "recurse", args, sizeof args, result, len);
    fini(&h);
    int64_t depth;
    if (code != NYASH_OK) return code;
    memcpy(&depth, result + 8, 8);
    *len = room;
    return answer_int(depth + 1, result, len);
}

static int32_t make(uint8_t *result, size_t *len) {
    pthread_mutex_lock(&lock);
    uint32_t both[2] = {TYPE_ID, ++last_id};
    births++;
    pthread_mutex_unlock(&lock);
    return answer(NYASH_TAG_HANDLE, both, 8, result, len);
}

static int32_t block(uint8_t *result, size_t *len) {
    pthread_mutex_lock(&lock);
    waiting++;
    pthread_cond_broadcast(&changed);
    while (!released) pthread_cond_wait(&changed, &lock);
    waiting--;
    pthread_mutex_unlock(&lock);
    return answer_int(1, result, len);
}

static void let_go(bool now) {
    pthread_mutex_lock(&lock);
    released = now;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int32_t method(uint32_t id, uint32_t self, Reader *r, uint8_t *result, size_t *len) {
    char box[64], name[64];
    size_t room = *len;
    int64_t a, b;
    Handle h;
    int32_t code;
    uint8_t *args;
    (void)self;
    switch (id) {
    case METHOD_ask:
    case METHOD_sendBlob:
    case METHOD_getBlob: return ask(r, result, len);
    case METHOD_unfetched: return unfetched(r, result, len);
    case METHOD_with: /* a box that it is lent meanwhile */
        handle(r);
        return ask(r, result, len);
    case METHOD_thread: return on_thread(r, result, len);
    case METHOD_hold:
        a = number(r);
        text(r, box, sizeof box);
        if (r->bad || a < 0 || a >= SLOTS) return NYASH_E_INVALID_ARGS;
        args = malloc(8 + (size_t)(r->end - r->at));
        code = birth(box, args, rest(r, args), &slots[a], result, len);
        free(args);
        if (code != NYASH_OK) return code;
        *len = room;
        return answer_int(slots[a].instance_id, result, len);
    case METHOD_held:
        a = number(r);
        text(r, name, sizeof name);
        if (r->bad || a < 0 || a >= SLOTS) return NYASH_E_INVALID_ARGS;
        args = malloc(8 + (size_t)(r->end - r->at));
        code = call(&slots[a], name, args, rest(r, args), result, len);
        free(args);
        return code;
    case METHOD_drop:
        a = number(r);
        if (r->bad || a < 0 || a >= SLOTS) return NYASH_E_INVALID_ARGS;
        code = fini(&slots[a]);
        if (code == NYASH_OK) *len = 0;
        return code;
    case METHOD_give:
        a = number(r);
        if (r->bad || a < 0 || a >= SLOTS) return NYASH_E_INVALID_ARGS;
        return answer(NYASH_TAG_HANDLE, &slots[a], 8, result, len);
    case METHOD_on:
        h = handle(r);
        text(r, h.box, sizeof h.box);
        text(r, name, sizeof name);
        if (r->bad) return NYASH_E_INVALID_ARGS;
        args = malloc(8 + (size_t)(r->end - r->at));
        code = call(&h, name, args, rest(r, args), result, len);
        free(args);
        return code;
    case METHOD_keep:
        a = number(r);
        h = handle(r);
        text(r, h.box, sizeof h.box);
        if (r->bad || a < 0 || a >= SLOTS) return NYASH_E_INVALID_ARGS;
        slots[a] = h;
        *len = 0;
        return NYASH_OK;
    case METHOD_raw:
        h.type_id = (uint32_t)number(r);
        a = number(r);
        h.instance_id = (uint32_t)number(r);
        if (r->bad) return NYASH_E_INVALID_ARGS;
        args = malloc(8 + (size_t)(r->end - r->at));
        code = invoke(h.type_id, (uint32_t)a, h.instance_id, args, rest(r, args), result, len);
        free(args);
        return code;
    case METHOD_room:
        a = number(r);
        b = number(r);
        text(r, name, sizeof name);
        if (r->bad || a < 0 || b < 0 || b >= SLOTS) return NYASH_E_INVALID_ARGS;
        args = malloc(8 + (size_t)(r->end - r->at));
        {
            size_t n = rest(r, args), small = (size_t)a;
            code = call(&slots[b], name, args, n, result, &small);
            if (code == NYASH_E_SHORT_BUFFER && small <= room) {
                *len = small;
                code = call(&slots[b], name, args, n, result, len);
            } else {
                *len = small;
            }
        }
        free(args);
        return code;
    case METHOD_recurse: return recurse(number(r), result, len);
    case METHOD_resolve: {
        uint32_t type_id, method_id;
        text(r, box, sizeof box);
        text(r, name, sizeof name);
        if (r->bad) return NYASH_E_INVALID_ARGS;
        return answer_int(calls == NULL ? 1 : calls->resolve(box, name, &type_id, &method_id), result, len);
    }
    case METHOD_take:
        *len = 0;
        return NYASH_OK;
    case METHOD_back:
        h = handle(r);
        return r->bad ? NYASH_E_INVALID_ARGS : answer(NYASH_TAG_HANDLE, &h, 8, result, len);
    case METHOD_make: return make(result, len);
    case METHOD_add:
        a = number(r);
        b = number(r);
        return r->bad ? NYASH_E_INVALID_ARGS : answer_int(a + b, result, len);
    case METHOD_echo: {
        Entry e = next(r);
        return r->bad ? NYASH_E_INVALID_ARGS : answer(e.tag, e.payload, e.size, result, len);
    }
    case METHOD_block: return block(result, len);
    case METHOD_release:
        let_go(number(r) != 0);
        *len = 0;
        return NYASH_OK;
    case METHOD_crash: abort();
    case METHOD_length: {
        Entry e = next(r);
        uint64_t size = e.size, sum = 0;
        const uint8_t *data = e.payload;
        if (e.tag == NYASH_TAG_BLOB) {
            uint64_t addr;
            memcpy(&addr, e.payload, 8);
            memcpy(&size, e.payload + 8, 8);
            data = (const uint8_t *)(uintptr_t)addr;
        }
        for (uint64_t i = 0; i < size; i++) sum += data[i];
        return answer_int((int64_t)(size * 1000 + sum % 1000), result, len);
    }
    case METHOD_blob: {
        uint64_t both[2];
        a = number(r);
        if (r->bad || a < 0) return NYASH_E_INVALID_ARGS;
        uint8_t *data = a == 0 ? NULL : table->alloc((size_t)a);
        if (a != 0 && data == NULL) return NYASH_E_OUT_OF_MEMORY;
        for (int64_t i = 0; i < a; i++) data[i] = (uint8_t)i;
        both[0] = (uint64_t)(uintptr_t)data;
        both[1] = (uint64_t)a;
        return answer(NYASH_TAG_BLOB, both, 16, result, len);
    }
    case METHOD_initCode: return answer_int(init_code, result, len);
    case METHOD_loop:
        a = number(r);
        b = number(r);
        text(r, name, sizeof name);
        if (r->bad || a < 0 || a >= SLOTS) return NYASH_E_INVALID_ARGS;
        {
            uint8_t buffer[256];
            uint32_t type_id, method_id;
            size_t n = rest(r, buffer);
            code = calls->resolve(slots[a].box, name, &type_id, &method_id);
            for (; code == NYASH_OK && b > 0; b--) {
                *len = room;
                code = invoke(type_id, method_id, slots[a].instance_id, buffer, n, result, len);
            }
        }
        return code;
    case METHOD_asleep:
    case METHOD_median: return median(r, id == METHOD_asleep, result, len);
    case METHOD_waiting:
        pthread_mutex_lock(&lock);
        a = waiting;
        pthread_mutex_unlock(&lock);
        return answer_int(a, result, len);
    case METHOD_linger: {
        pthread_t thread;
        a = number(r);
        if (r->bad || a < 0 || a >= SLOTS) return NYASH_E_INVALID_ARGS;
        Handle *copy = malloc(sizeof *copy);
        *copy = slots[a];
        if (pthread_create(&thread, NULL, linger, copy) != 0) return NYASH_E_OUT_OF_MEMORY;
        pthread_detach(thread);
        *len = 0;
        return NYASH_OK;
    }
    case METHOD_makers:
        a = number(r);
        b = number(r);
        if (r->bad || b < 0 || b >= SLOTS) return NYASH_E_INVALID_ARGS;
        for (; a > 0; a--) {
            pthread_t thread;
            Handle *copy = malloc(sizeof *copy);
            *copy = slots[b];
            if (pthread_create(&thread, NULL, maker, copy) != 0) return NYASH_E_OUT_OF_MEMORY;
            pthread_detach(thread);
        }
        *len = 0;
        return NYASH_OK;
    case METHOD_lingering: return answer_int(lingered, result, len);
    case METHOD_fail: {
        Entry e = next(r);
        if (answer(NYASH_TAG_STRING, e.payload, e.size, result, len) != NYASH_OK) *len = 0;
        return NYASH_E_PLUGIN;
    }
    case METHOD_births:
    case METHOD_finis:
        pthread_mutex_lock(&lock);
        a = id == METHOD_births ? births : finis;
        pthread_mutex_unlock(&lock);
        return answer_int(a, result, len);
    }
    return NYASH_E_INVALID_METHOD;
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

#ifndef NO_CONNECT
int32_t nyash_plugin_connect(const NyashHostCalls *host) {
    calls = host;
#ifdef REFUSE_CONNECT
    return REFUSE_CONNECT;
#else
    return host->version == NYASH_HOST_CALLS_VERSION && host->struct_size >= sizeof *host ? NYASH_OK : NYASH_E_VERSION;
#endif
}
#endif

#ifdef DESCRIBED
const char *nyash_plugin_config(void) { return "[plugins." TYPE_NAME "]\ndoc = 'It calls what it is asked to.'\n"; }
#endif

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    static const NyashMethodInfo all[] = {
#define M(name, id) {id, #name, 0},
        METHODS(M)
#undef M
    };
    table = host;
    info->type_id = TYPE_ID;
    info->type_name = TYPE_NAME;
    info->method_count = sizeof all / sizeof *all;
    info->methods = all;
#ifdef INIT_SLEEP
    init_code = sleep_by_host(INIT_SLEEP);
#endif
#ifdef INIT_BOX
    {
        uint8_t none[4] = {1, 0, 0, 0}, result[512];
        size_t len = sizeof result;
        Handle h;
        init_code = birth(INIT_BOX, none, sizeof none, &h, result, &len);
        if (init_code == NYASH_OK) fini(&h);
        else if (len > 8 && len < sizeof result) {
            result[len] = 0;
            table->log(NYASH_LOG_INFO, (const char *)result + 8);
        }
    }
#endif
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    if (type_id != TYPE_ID) return NYASH_E_INVALID_TYPE;
    if (method_id == NYASH_METHOD_BIRTH) {
        pthread_mutex_lock(&lock);
        uint32_t id = ++last_id;
        births++;
        pthread_mutex_unlock(&lock);
        memcpy(result, &id, 4);
        *result_len = 4;
        return NYASH_OK;
    }
    if (method_id == NYASH_METHOD_FINI) {
        pthread_mutex_lock(&lock);
#ifdef FINI_BLOCKS
        waiting++;
        while (!released) pthread_cond_wait(&changed, &lock);
        waiting--;
#endif
        finis++;
        pthread_mutex_unlock(&lock);
        *result_len = 0;
        return NYASH_OK;
    }
    Reader r = {args + 4, args + args_len, args_len < 4};
    return method(method_id, instance_id, &r, result, result_len);
}

void nyash_plugin_shutdown(void) {
#ifdef SHUTDOWN_SLEEP
    {
        char line[64];
        snprintf(line, sizeof line, "sleep was answered %d", sleep_by_host(SHUTDOWN_SLEEP));
        table->log(NYASH_LOG_INFO, line);
    }
#endif
#ifdef SHUTDOWN_BOX
    uint8_t none[4] = {1, 0, 0, 0}, result[512];
    size_t len = sizeof result;
    Handle h;
    char line[64];
    int32_t code = birth(SHUTDOWN_BOX, none, sizeof none, &h, result, &len);
    snprintf(line, sizeof line, "shutdown was answered %d", code);
    table->log(NYASH_LOG_INFO, line);
#endif
}
