/* KeepBox: keeps boxes that it is lent for one call, which no plugin may. */
#include "../wild.h"

enum { KEEP = 64 };
enum { SAME = 1, LEND, GIVE };

static const NyashMethodInfo methods[] = {{SAME, "same", 0}, {LEND, "lend", 0}, {GIVE, "give", 0}};

typedef struct Keep {
    uint32_t type, instance;
} Keep;

static int32_t dispatch(Call *c)
{
    if (c->type != KEEP)
        return NYASH_E_INVALID_TYPE;
    if (c->method == NYASH_METHOD_BIRTH) {
        if (!takes(c, ""))
            return NYASH_E_INVALID_ARGS;
        if (!birth_fits(c))
            return NYASH_E_SHORT_BUFFER;
        uint32_t id = make(KEEP, sizeof(Keep));
        return id == 0 ? NYASH_E_OUT_OF_MEMORY : answer_birth(c, id);
    }
    Keep *k = find(KEEP, c->instance);
    if (k == NULL)
        return NYASH_E_INVALID_HANDLE;
    if (c->method == NYASH_METHOD_FINI)
        return drop(c->instance), answer_nothing();
    if (c->method > GIVE)
        return NYASH_E_INVALID_METHOD;
    if (!takes(c, c->method == GIVE ? "" : "h"))
        return NYASH_E_INVALID_ARGS;
    switch (c->method) {
    case SAME:
        return answer(c, NYASH_TAG_HANDLE, c->args[0].data, 8);
    case LEND:
        handle(&c->args[0], &k->type, &k->instance);
        return answer_nothing();
    }
    if (k->instance == 0)
        return fail(c, NYASH_E_PLUGIN, "it keeps nothing");
    return answer_handle(c, k->type, k->instance);
}

static void end_all(void)
{
    for (uint32_t id = 1; id <= instances.count; id++)
        if (instances.all[id - 1].state != NULL)
            drop(id);
}

FOUR_SYMBOLS(KEEP, "KeepBox", 3, methods)
