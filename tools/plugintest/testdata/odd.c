/* OddBox and MoreBox, which are as the flags say. */
#include "../../../tests/wild/testdata/wild.h"

enum { ODD = 21, MORE };
enum { TAKE = 1, MAKE, RANGE };

/* The type of the box that make answers. */
#ifndef MADE
#define MADE MORE
#endif
/* What range does without its last argument. */
#ifndef ALONE
#define ALONE
#endif
/* What birth does with one of its two arguments. */
#ifndef HALF
#define HALF
#endif
/* What resolve does first. */
#ifndef RESOLVING
#define RESOLVING
#endif

static int32_t dispatch(Call *c)
{
    if (c->method == NYASH_METHOD_BIRTH) {
        if (!takes(c, c->type == ODD ? "?ss" : ""))
            return NYASH_E_INVALID_ARGS;
        if (c->argc == 1) {
            HALF;
        }
        if (!birth_fits(c))
            return NYASH_E_SHORT_BUFFER;
        uint32_t id = make(c->type, 1);
        return id == 0 ? NYASH_E_OUT_OF_MEMORY : answer_birth(c, id);
    }
    if (find(c->type, c->instance) == NULL)
        return NYASH_E_INVALID_HANDLE;
    if (c->method == NYASH_METHOD_FINI)
        return drop(c->instance), answer_nothing();
    if (c->type != ODD)
        return NYASH_E_INVALID_METHOD;
    switch (c->method) {
    case TAKE:
        return takes(c, "h") ? NYASH_E_INVALID_HANDLE : NYASH_E_INVALID_ARGS;
    case MAKE:
        if (!takes(c, ""))
            return NYASH_E_INVALID_ARGS;
        if (!fits(c, 8))
            return NYASH_E_SHORT_BUFFER;
        return answer_handle(c, MADE, make(MADE, 1));
    case RANGE: /* range(from, to = 9, step) */
        if (!takes(c, "n?nn"))
            return NYASH_E_INVALID_ARGS;
        if (c->argc < 3) {
            ALONE;
        }
        return answer_i64(c, c->argc < 2 ? -1 : integer(&c->args[1]) - integer(&c->args[0]));
    }
    return NYASH_E_INVALID_METHOD;
}

static void end_all(void) {}

static uint32_t resolve(const char *name)
{
    static const char *const names[] = {"", "take", "make", "range"};
    (void)name;
    RESOLVING;
    for (uint32_t i = 1; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return 0;
}

TABLE(OddBox, ODD, resolve)
TABLE(MoreBox, MORE, NULL)
