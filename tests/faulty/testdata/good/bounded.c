/* A queue that holds as many as its birth says, and whose dump goes into one that is large enough alone. */
#include "nyash.h"

#define MOST 100
#define LONGEST 60

struct queue {
    int32_t most, used;
    size_t sizes[MOST];
    char texts[MOST][LONGEST];
};

static int32_t birth(NyashContext *c) {
    struct queue *q = nyash_self(c);
    q->most = nyash_arg_i32(c, 0);
    if (q->most < 1 || q->most > MOST) return nyash_error_arg(c, 0, "a queue holds 1 to 100");
    return NYASH_OK;
}

static int32_t method_push(NyashContext *c) {
    struct queue *q = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    if (text.size > LONGEST) return nyash_error_arg(c, 0, "it is too long");
    if (q->used == q->most) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    if (text.size > 0) memcpy(q->texts[q->used], text.data, text.size);
    q->sizes[q->used++] = text.size;
    return nyash_return_i64(c, q->used);
}

static int32_t method_at(NyashContext *c) {
    struct queue *q = nyash_self(c);
    int32_t i = nyash_arg_i32(c, 0);
    if (i < 0 || i >= q->used) return nyash_error_arg(c, 0, "there is none");
    return nyash_return_string(c, q->texts[i], q->sizes[i]);
}

static int32_t method_used(NyashContext *c) { return nyash_return_i64(c, ((struct queue *)nyash_self(c))->used); }

/* For each its size in one byte, and its bytes. */
static int32_t method_save(NyashContext *c) {
    struct queue *q = nyash_self(c);
    uint8_t dump[MOST * (1 + LONGEST)];
    size_t size = 0;
    for (int32_t i = 0; i < q->used; i++) {
        dump[size++] = (uint8_t)q->sizes[i];
        memcpy(dump + size, q->texts[i], q->sizes[i]);
        size += q->sizes[i];
    }
    return nyash_return_bytes(c, dump, size);
}

static int32_t method_load(NyashContext *c) {
    struct queue *q = nyash_self(c), loaded = {.most = q->most};
    NyashBytes dump = nyash_arg_bytes(c, 0);
    for (size_t at = 0; at < dump.size;) {
        size_t size = dump.data[at++];
        if (size > LONGEST || size > dump.size - at || nyash_utf8_valid(dump.data + at, size) < size) return nyash_error_arg(c, 0, "no dump");
        if (loaded.used == loaded.most) return nyash_error(c, NYASH_E_PLUGIN, "there is no room for all");
        memcpy(loaded.texts[loaded.used], dump.data + at, size);
        loaded.sizes[loaded.used++] = size;
        at += size;
    }
    *q = loaded;
    return nyash_return_i64(c, q->used);
}

static const NyashMethod methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = birth, .args = {NYASH_ARG("most", NYASH_I32)}},
    {.id = 1, .name = "push", .call = method_push, .args = {NYASH_ARG("text", NYASH_STRING)}, .result = NYASH_I64},
    {.id = 2, .name = "at", .call = method_at, .args = {NYASH_ARG("index", NYASH_I32)}, .result = NYASH_STRING},
    {.id = 3, .name = "used", .call = method_used, .result = NYASH_I64},
    {.id = 4, .name = "save", .call = method_save, .result = NYASH_BYTES},
    {.id = 5, .name = "load", .call = method_load, .args = {NYASH_ARG("dump", NYASH_BYTES)}, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Queue", .type_id = 743, .state_size = sizeof(struct queue), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
