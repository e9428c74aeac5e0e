/* Boxes without a fault that keep what they have answered, or answer by what was asked for before. */
#include <stdlib.h>
#include <string.h>

#include "nyash.h"

/* Keeps the three texts that were used last. */
enum { ROOM = 3, LENGTH = 40 };

struct recent {
    char texts[ROOM][LENGTH];
    size_t sizes[ROOM], count;
};

/* Finds a text, and puts it in front. */
static int recent_find(struct recent *r, NyashText text) {
    for (size_t i = 0; i < r->count; i++) {
        if (r->sizes[i] != text.size || memcmp(r->texts[i], text.data, text.size) != 0) continue;
        memmove(r->texts[1], r->texts[0], i * LENGTH);
        memmove(&r->sizes[1], &r->sizes[0], i * sizeof r->sizes[0]);
        memcpy(r->texts[0], text.data, text.size);
        r->sizes[0] = text.size;
        return 1;
    }
    return 0;
}

static int32_t recent_put(NyashContext *c) {
    struct recent *r = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    if (text.size == 0 || text.size > LENGTH) return nyash_error(c, NYASH_E_PLUGIN, "from 1 to %d bytes", LENGTH);
    if (!recent_find(r, text)) {
        memmove(r->texts[1], r->texts[0], (ROOM - 1) * LENGTH);
        memmove(&r->sizes[1], &r->sizes[0], (ROOM - 1) * sizeof r->sizes[0]);
        memcpy(r->texts[0], text.data, text.size);
        r->sizes[0] = text.size;
        if (r->count < ROOM) r->count++;
    }
    return nyash_return_void(c);
}

static int32_t recent_has(NyashContext *c) { return nyash_return_bool(c, recent_find(nyash_self(c), nyash_arg_string(c, 0))); }

static int32_t recent_size(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct recent *)nyash_self(c))->count); }

static const NyashMethod recent_methods[] = {
    {.id = 1, .name = "put", .call = recent_put, .args = {NYASH_ARG("text", NYASH_STRING)}},
    {.id = 2, .name = "has", .call = recent_has, .args = {NYASH_ARG("text", NYASH_STRING)}, .result = NYASH_BOOL},
    {.id = 3, .name = "size", .call = recent_size, .result = NYASH_I64},
};

/* Adds up numbers when it is asked to, and drops the sum whenever they change. A view stays as it is. */
struct list {
    int64_t numbers[64], sum, view;
    size_t count;
    int summed, viewed;
};

static int32_t list_add(NyashContext *c) {
    struct list *l = nyash_self(c);
    if (l->count == 64) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    l->numbers[l->count++] = nyash_arg_i64(c, 0);
    l->summed = 0;
    return nyash_return_void(c);
}

static int32_t list_drop(NyashContext *c) {
    struct list *l = nyash_self(c);
    if (l->count > 0) l->count--;
    l->summed = 0;
    return nyash_return_void(c);
}

static int64_t sum(struct list *l) {
    if (!l->summed) {
        uint64_t all = 0;
        for (size_t i = 0; i < l->count; i++) all += (uint64_t)l->numbers[i];
        l->sum = (int64_t)all;
        l->summed = 1;
    }
    return l->sum;
}

static int32_t list_sum(NyashContext *c) { return nyash_return_i64(c, sum(nyash_self(c))); }

static int32_t list_view(NyashContext *c) {
    struct list *l = nyash_self(c);
    if (!l->viewed) l->view = sum(l), l->viewed = 1;
    return nyash_return_i64(c, l->view);
}

static int32_t list_refresh(NyashContext *c) {
    ((struct list *)nyash_self(c))->viewed = 0;
    return nyash_return_void(c);
}

static const NyashMethod list_methods[] = {
    {.id = 1, .name = "add", .call = list_add, .args = {NYASH_ARG("number", NYASH_I64)}},
    {.id = 2, .name = "drop", .call = list_drop},
    {.id = 3, .name = "sum", .call = list_sum, .result = NYASH_I64},
    {.id = 4, .name = "view", .call = list_view, .result = NYASH_I64, .doc = "The sum when it was looked at first, until refresh is called."},
    {.id = 5, .name = "refresh", .call = list_refresh},
};

static const NyashBox recent = {.name = "RecentBox", .type_id = 731, .state_size = sizeof(struct recent), NYASH_METHODS(recent_methods)};
static const NyashBox list = {.name = "ListBox", .type_id = 732, .state_size = sizeof(struct list), NYASH_METHODS(list_methods)};

NYASH_PLUGIN(&recent, &list)
