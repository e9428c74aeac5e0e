/* A stack of numbers with a limit, which can be put on another one. */
#include "nyash.h"
#include <stdbool.h>

#define MOST 1000

/* Whether so many more go onto it, and how many there are of the other one while they are put. */
#ifndef ROOM
#define ROOM(s, more) (MOST - (s)->used >= (more))
#define COUNT(other, n) (n)
#endif

struct stack {
    size_t used;
    int64_t all[MOST];
};

static bool put(struct stack *s, int64_t n) {
    if (s->used == MOST) return false;
    s->all[s->used++] = n;
    return true;
}

static int32_t method_push(NyashContext *c) {
    struct stack *s = nyash_self(c);
    if (!put(s, nyash_arg_i64(c, 0))) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    return nyash_return_void(c);
}

static int32_t method_append(NyashContext *c) {
    struct stack *s = nyash_self(c), *other = nyash_arg_instance(c, 0);
    size_t n = other->used;
    (void)n;
    if (!ROOM(s, other->used)) return nyash_error(c, NYASH_E_PLUGIN, "it would be full");
    for (size_t i = 0; i < COUNT(other, n); i++)
        if (!put(s, other->all[i])) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    return nyash_return_void(c);
}

static int32_t method_top(NyashContext *c) {
    struct stack *s = nyash_self(c);
    if (s->used == 0) return nyash_error(c, NYASH_E_PLUGIN, "there is nothing on it");
    return nyash_return_i64(c, s->all[s->used - 1]);
}

static int32_t method_height(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct stack *)nyash_self(c))->used); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "push", .call = method_push, .args = {NYASH_ARG("n", NYASH_I64)}, .result = NYASH_VOID, .doc = "Puts a number on top."},
    {.id = 2, .name = "append", .call = method_append, .args = {NYASH_ARG("other", NYASH_HANDLE)}, .result = NYASH_VOID, .doc = "Puts the numbers of another one on top, all or none."},
    {.id = 3, .name = "top", .call = method_top, .result = NYASH_I64, .doc = "The number on top."},
    {.id = 4, .name = "height", .call = method_height, .result = NYASH_I64, .doc = "How many numbers there are."},
};
static const NyashBox box = {.name = "Stack", .type_id = 763, .state_size = sizeof(struct stack), .doc = "Numbers, the last on top.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
