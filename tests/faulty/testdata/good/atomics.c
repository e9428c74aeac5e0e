/* A plugin without a fault that uses the atomics of C: locks that are made of them, counters,
 * a table that is made once and published with release and acquire, a stack that is changed
 * with compare and exchange, and references that are counted. */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

#define TYPE_ID UINT32_C(721)

enum { ADD = 1, TOTAL, PUSH, DEPTH, RANK, SET, GET, CALLS, LAST };
enum { MOST = 1 << 16 };

struct node {
    struct node *below;
    int64_t n;
};

struct box {
    atomic_int references;
    atomic_flag lock;
    atomic_int_least64_t total, last;
    _Atomic(struct node *) top;
    int64_t a, b; /* with the lock; the same value */
};

static _Atomic(struct box *) boxes[MOST];
static atomic_uint last_id;
static atomic_int_least64_t calls;
static _Atomic(uint8_t *) ranks;

static void lock(struct box *b) {
    while (atomic_flag_test_and_set_explicit(&b->lock, memory_order_acquire)) sched_yield();
}

static void unlock(struct box *b) { atomic_flag_clear_explicit(&b->lock, memory_order_release); }

/* The table is made by whoever comes first, and given up by all who come later. */
static const uint8_t *table(void) {
    uint8_t *have = atomic_load_explicit(&ranks, memory_order_acquire), *made;
    if (have != NULL) return have;
    made = malloc(256);
    if (made == NULL) return NULL;
    made[0] = 0;
    for (int i = 1; i < 256; i++) made[i] = (uint8_t)(made[i / 2] + i % 2);
    if (atomic_compare_exchange_strong(&ranks, &have, made)) return made;
    free(made);
    return have;
}

static void release(struct box *b) {
    struct node *n;
    if (atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1) return;
    n = atomic_load_explicit(&b->top, memory_order_relaxed);
    while (n != NULL) {
        struct node *below = n->below;
        free(n);
        n = below;
    }
    free(b);
}

static int32_t reply(uint8_t *result, size_t *length, int64_t n) {
    if (*length < 16) {
        *length = 16;
        return NYASH_E_SHORT_BUFFER;
    }
    memcpy(result, "\1\0\1\0\3\0\10\0", 8);
    memcpy(result + 8, &n, 8);
    *length = 16;
    return NYASH_OK;
}

static int32_t birth(uint8_t *result, size_t *length) {
    struct box *b;
    uint32_t id;
    if (*length < 4) {
        *length = 4;
        return NYASH_E_SHORT_BUFFER;
    }
    b = calloc(1, sizeof *b);
    if (b == NULL) return NYASH_E_OUT_OF_MEMORY;
    atomic_init(&b->references, 1);
    for (;;) { /* a place that is free; ids count up, until they begin again */
        struct box *none = NULL;
        id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) % (MOST - 1) + 1;
        if (atomic_compare_exchange_strong_explicit(&boxes[id], &none, b, memory_order_release, memory_order_relaxed)) break;
    }
    memcpy(result, &id, 4);
    *length = 4;
    return NYASH_OK;
}

static int32_t fini(uint32_t id, size_t *length) {
    struct box *b = id < MOST ? atomic_exchange(&boxes[id], NULL) : NULL;
    if (b == NULL) return NYASH_E_INVALID_HANDLE;
    release(b);
    *length = 0;
    return NYASH_OK;
}

static int32_t call(struct box *b, uint32_t method, int64_t n, uint8_t *result, size_t *length) {
    struct node *node;
    int64_t depth = 0;
    const uint8_t *of;
    if (*length < 16) {
        *length = 16;
        return NYASH_E_SHORT_BUFFER;
    }
    switch (method) {
    case ADD:
        return reply(result, length, (int64_t)((uint64_t)atomic_fetch_add(&b->total, n) + (uint64_t)n));
    case TOTAL:
        return reply(result, length, atomic_load_explicit(&b->total, memory_order_relaxed));
    case PUSH:
        node = malloc(sizeof *node);
        if (node == NULL) return NYASH_E_OUT_OF_MEMORY;
        node->n = n;
        node->below = atomic_load_explicit(&b->top, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&b->top, &node->below, node, memory_order_release, memory_order_relaxed)) {}
        return reply(result, length, n);
    case DEPTH:
        for (node = atomic_load_explicit(&b->top, memory_order_acquire); node != NULL; node = node->below) depth++;
        return reply(result, length, depth);
    case RANK:
        of = table();
        return of == NULL ? NYASH_E_OUT_OF_MEMORY : reply(result, length, of[n & 255]);
    case SET:
        lock(b);
        b->a = n;
        b->b = n;
        unlock(b);
        return reply(result, length, n);
    case GET:
        lock(b);
        n = b->a == b->b ? b->a : -1;
        unlock(b);
        return reply(result, length, n);
    case CALLS: /* of all instances */
        return reply(result, length, atomic_load(&calls) > 0);
    }
    atomic_store_explicit(&b->last, n, memory_order_relaxed);
    return reply(result, length, n);
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

const char *nyash_plugin_config(void) {
    return "[plugins.Atomics]\ntype_id = 721\n[plugins.Atomics.methods]\n"
           "add = { method_id = 1, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n"
           "total = { method_id = 2, args = [], returns = 'i64' }\n"
           "push = { method_id = 3, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n"
           "depth = { method_id = 4, args = [], returns = 'i64' }\n"
           "rank = { method_id = 5, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n"
           "set = { method_id = 6, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n"
           "get = { method_id = 7, args = [], returns = 'i64' }\n"
           "calls = { method_id = 8, args = [], returns = 'i64' }\n"
           "last = { method_id = 9, args = [ { name = 'n', to = 'i64' } ], returns = 'i64' }\n";
}

int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host;
    info->type_id = TYPE_ID;
    info->type_name = "Atomics";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    bool takes = method == ADD || method == PUSH || method == RANK || method == SET || method == LAST;
    struct box *b;
    int64_t n = 0;
    int32_t code;
    if (type_id != TYPE_ID) return NYASH_E_INVALID_TYPE;
    if (method == NYASH_METHOD_BIRTH) return birth(result, result_len);
    if (method == NYASH_METHOD_FINI) return fini(instance, result_len);
    if (method < ADD || method > LAST) return NYASH_E_INVALID_METHOD;
    b = instance < MOST ? atomic_load_explicit(&boxes[instance], memory_order_acquire) : NULL;
    if (b == NULL) return NYASH_E_INVALID_HANDLE; /* a host ends none that is in use */
    if (args_len != (takes ? 16 : 4) || memcmp(args, takes ? "\1\0\1\0" : "\1\0\0\0", 4) != 0 || (takes && memcmp(args + 4, "\3\0\10\0", 4) != 0))
        return NYASH_E_INVALID_ARGS;
    if (takes) memcpy(&n, args + 8, 8);
    atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
    atomic_store_explicit(&calls, 1, memory_order_relaxed);
    code = call(b, method, n, result, result_len);
    release(b);
    return code;
}

void nyash_plugin_shutdown(void) {
    for (uint32_t id = 0; id < MOST; id++) {
        struct box *b = atomic_exchange(&boxes[id], NULL);
        if (b != NULL) release(b);
    }
    free(atomic_exchange(&ranks, NULL));
    atomic_store(&last_id, 0);
}
