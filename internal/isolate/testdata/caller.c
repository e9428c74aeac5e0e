/* A plugin that calls its host as it is told to. Arguments and results are no messages,
 * but the structures below: nothing between a session and the plugin looks at them.
 * PHASES says in which parts of its life it calls by itself: 1 connect, 2 init, 4 shutdown. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "nyash_plugin.h"

/* What a call of the host is, with its message behind it; and its answer, with the
 * result behind it. */
typedef struct {
    uint32_t type_id, method_id, instance_id, room;
} Order;

typedef struct {
    int32_t code;
    uint32_t type_id, method_id, thread; /* of resolve; the number that the system gives the thread */
    uint64_t length;
} Answer;

enum {
    RELAY = 1,   /* makes the call */
    THREAD,      /* makes it on a thread of its own, and waits for that */
    RESOLVE,     /* looks two names up, which are given as "box\0method\0" */
    SEND,        /* sends a blob of so many bytes, in memory of the kind that instance_id says */
    RECEIVE,     /* takes a blob, and answers its length, with the sum of its bytes as thread */
    START,       /* starts a thread that makes the call over and over */
    STOP,        /* and ends all of them; answers how many calls they made */
    MEASURE,     /* makes the call so many times as room says, and answers the median in ns */
    MEASURE_OWN, /* the same on a thread of its own, where all have gone to sleep before */
    CRASH
};

enum { IN_MALLOC, IN_ALLOC, IN_STACK, NOWHERE, FORBIDDEN };

#ifndef PHASES
#define PHASES 0
#endif

static const NyashHostVtable *table;
static const NyashHostCalls *host;
static volatile int stopping;
static uint64_t made;
static pthread_t threads[64];
static int started;

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

static int32_t ask(uint32_t instance) {
    uint32_t type_id = 0, method_id = 0;
    uint8_t result[8];
    size_t length = sizeof result;
    if (host->resolve("Box", "method", &type_id, &method_id) != NYASH_OK) return NYASH_E_PLUGIN;
    return host->invoke(type_id, method_id, instance, NULL, 0, result, &length);
}

int32_t nyash_plugin_connect(const NyashHostCalls *calls) {
    host = calls;
    return PHASES & 1 ? ask(1) : NYASH_OK;
}

static void *ask_on_thread(void *code) {
    *(int32_t *)code = ask(3);
    return NULL;
}

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    (void)info;
    table = vtable;
    if (!(PHASES & 2)) return NYASH_OK;
    pthread_t thread;
    int32_t code = NYASH_E_PLUGIN;
    pthread_create(&thread, NULL, ask_on_thread, &code);
    pthread_join(thread, NULL);
    return code != NYASH_OK ? code : ask(2);
}

void nyash_plugin_shutdown(void) {
    if (PHASES & 4) ask(4);
}

static void make(const Order *o, const uint8_t *message, size_t size, Answer *a, uint8_t *result) {
    size_t length = o->room;
    a->code = host->invoke(o->type_id, o->method_id, o->instance_id, message, size, result, &length);
    a->length = length;
    a->thread = (uint32_t)gettid();
}

typedef struct {
    Order order;
    const uint8_t *message;
    size_t size;
    Answer *answer;
    uint8_t *result;
} Work;

static void *work(void *p) {
    Work *w = p;
    make(&w->order, w->message, w->size, w->answer, w->result);
    return NULL;
}

static void *repeat(void *p) {
    Work *w = p;
    while (!stopping) {
        work(w);
        __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
    }
    free((void *)w->message);
    free(w->answer);
    free(w->result);
    free(w);
    return NULL;
}

static void start(const Order *o, const uint8_t *message, size_t size) {
    Work *w = malloc(sizeof *w);
    *w = (Work){*o, memcpy(malloc(size + 1), message, size), size, malloc(sizeof(Answer)), malloc(o->room + 1)};
    pthread_create(&threads[started++], NULL, repeat, w);
}

static void send(Order *o, uint64_t size, Answer *a, uint8_t *result) {
    uint8_t small[4096], *data = small;
    switch (o->instance_id) {
    case IN_MALLOC: data = malloc(size + 1); break;
    case IN_ALLOC: data = table->alloc(size); break;
    case NOWHERE: data = (uint8_t *)(uintptr_t)0x10000; break;
    case FORBIDDEN:
        data = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(data + size, size, PROT_NONE);
        data += size / 2;
        break;
    }
    if (o->instance_id <= IN_STACK)
        for (uint64_t i = 0; i < size; i++) data[i] = (uint8_t)i;
    uint8_t message[4 + 4 + 16] = {1, 0, 1, 0, NYASH_TAG_BLOB, 0, 16, 0};
    uint64_t blob[2] = {(uintptr_t)data, size};
    memcpy(message + 8, blob, sizeof blob);
    make(o, message, sizeof message, a, result);
    if (o->instance_id == IN_MALLOC) free(data);
    if (o->instance_id == IN_ALLOC) table->free(data);
}

static void receive(const Order *o, const uint8_t *message, size_t size, Answer *a) {
    uint8_t result[64];
    uint64_t blob[2];
    make(o, message, size, a, result);
    if (a->code != NYASH_OK) return;
    memcpy(blob, result + 8, sizeof blob);
    a->length = blob[1];
    a->thread = 0;
    for (uint64_t i = 0; i < blob[1]; i++) a->thread += ((uint8_t *)(uintptr_t)blob[0])[i];
    table->free((uint8_t *)(uintptr_t)blob[0]);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *measure(void *p) {
    Work *w = p;
    uint32_t n = w->order.room;
    uint64_t *times = malloc(n * sizeof *times);
    uint8_t result[64];
    w->order.room = sizeof result;
    for (uint32_t i = 0; i < n; i++) {
        if (w->result) nanosleep(&(struct timespec){0, 1000000}, NULL); /* all have gone to sleep */
        uint64_t from = now();
        make(&w->order, w->message, w->size, w->answer, result);
        times[i] = now() - from;
    }
    qsort(times, n, sizeof *times, compare);
    w->answer->length = times[n / 2];
    free(times);
    return NULL;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method_id, uint32_t instance_id, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    Order o = {0, 0, 0, 0};
    Answer a = {0, 0, 0, 0, 0};
    uint8_t *behind = result + sizeof a;
    (void)type_id, (void)instance_id;
    if (method_id != RESOLVE && args_len >= sizeof o) {
        memcpy(&o, args, sizeof o);
        args += sizeof o, args_len -= sizeof o;
    }
    Work w = {o, args, args_len, &a, behind};
    pthread_t thread;
    uint64_t size;
    switch (method_id) {
    case RELAY: make(&o, args, args_len, &a, behind); break;
    case THREAD:
        pthread_create(&thread, NULL, work, &w);
        pthread_join(thread, NULL);
        break;
    case RESOLVE:
        a.code = host->resolve((const char *)args, (const char *)args + strlen((const char *)args) + 1, &a.type_id, &a.method_id);
        break;
    case SEND:
        memcpy(&size, args, sizeof size);
        send(&o, size, &a, behind);
        break;
    case RECEIVE: receive(&o, args, args_len, &a); break;
    case START: start(&o, args, args_len); break;
    case STOP:
        stopping = 1;
        while (started > 0) pthread_join(threads[--started], NULL);
        a.length = made;
        break;
    case MEASURE:
        w.result = NULL;
        measure(&w);
        break;
    case MEASURE_OWN:
        pthread_create(&thread, NULL, measure, &w);
        pthread_join(thread, NULL);
        break;
    case CRASH: abort();
    }
    memcpy(result, &a, sizeof a);
    *result_len = sizeof a;
    if (method_id <= SEND && a.code != NYASH_E_SHORT_BUFFER) *result_len += a.length;
    return NYASH_OK;
}
