/* A plugin without a fault, with the C SDK: box Spots, type 769: circles, and what is in them. The files that include
 * this one each define one macro in another way. */
#include "nyash.h"
#include <stdlib.h>

#ifndef DISTANCE /* the square of it; coordinates have no more than 30 bits */
#define DISTANCE(dx, dy) ((int64_t)(dx) * (dx) + (int64_t)(dy) * (dy))
#endif
#define MOST 50
#define FAR 500000000

struct spot {
    int32_t x, y, radius;
};

struct spots {
    struct spot all[MOST];
    size_t count;
};

static int32_t add(NyashContext *c) {
    struct spots *s = nyash_self(c);
    struct spot one = {nyash_arg_i32(c, 0), nyash_arg_i32(c, 1), nyash_arg_i32(c, 2)};
    if (one.x < -FAR || one.x > FAR || one.y < -FAR || one.y > FAR) return nyash_error(c, NYASH_E_INVALID_ARGS, "wanted -500000000 to 500000000");
    if (one.radius < 1 || one.radius > 40000) return nyash_error_arg(c, 2, "wanted 1 to 40000");
    if (s->count == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d", MOST);
    s->all[s->count++] = one;
    return nyash_return_i64(c, (int64_t)s->count);
}

static int32_t covered(NyashContext *c) {
    struct spots *s = nyash_self(c);
    int32_t x = nyash_arg_i32(c, 0), y = nyash_arg_i32(c, 1);
    if (x < -FAR || x > FAR || y < -FAR || y > FAR) return nyash_error(c, NYASH_E_INVALID_ARGS, "wanted -500000000 to 500000000");
    for (size_t i = 0; i < s->count; i++)
        if (DISTANCE(x - s->all[i].x, y - s->all[i].y) <= (int64_t)s->all[i].radius * s->all[i].radius) return nyash_return_bool(c, 1);
    return nyash_return_bool(c, 0);
}

#define X {"x", NYASH_I32, NULL, NULL, "-500000000 to 500000000"}
#define Y {"y", NYASH_I32, NULL, NULL, "-500000000 to 500000000"}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = add, .args = {X, Y, {"radius", NYASH_I32, NULL, NULL, "1 to 40000"}}, .result = NYASH_I64, .doc = "Adds a circle; returns how many there are, at most 50."},
    {.id = 2, .name = "covered", .call = covered, .args = {X, Y}, .result = NYASH_BOOL, .doc = "Whether a place is in one of the circles."},
};

static const NyashBox spots = {.name = "Spots", .type_id = 769, .doc = "Circles.", .state_size = sizeof(struct spots), NYASH_METHODS(methods)};
NYASH_PLUGIN(&spots)
