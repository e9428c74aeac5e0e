/* IntArrayBox: integers of 32 bits, and no others. Its init takes no arguments, and it has
 * neither abi nor shutdown. */
#define nyash_plugin_init declared_by_the_header
#include "../wild.h"
#undef nyash_plugin_init

enum { ARRAY = 61 }; /* as TextBox, of another library */
enum { SET = 1, GET, SUM };
enum { LENGTH = 16 };

static bool ready;

static int32_t dispatch(Call *c)
{
    if (!ready)
        return fail(c, NYASH_E_PLUGIN, "init was not called");
    if (c->type != ARRAY)
        return NYASH_E_INVALID_TYPE;
    if (c->method == NYASH_METHOD_BIRTH) {
        if (!takes(c, ""))
            return NYASH_E_INVALID_ARGS;
        if (!birth_fits(c))
            return NYASH_E_SHORT_BUFFER;
        uint32_t id = make(ARRAY, LENGTH * sizeof(int32_t));
        return id == 0 ? NYASH_E_OUT_OF_MEMORY : answer_birth(c, id);
    }
    int32_t *all = find(ARRAY, c->instance);
    if (all == NULL)
        return NYASH_E_INVALID_HANDLE;
    if (c->method == NYASH_METHOD_FINI)
        return drop(c->instance), answer_nothing();
    if (c->method > SUM)
        return NYASH_E_INVALID_METHOD;
    if (!takes(c, c->method == SET ? "ii" : c->method == GET ? "i" : ""))
        return NYASH_E_INVALID_ARGS;
    int64_t i = c->argc > 0 ? integer(&c->args[0]) : 0, sum = 0;
    if (i < 0 || i >= LENGTH)
        return fail(c, NYASH_E_INVALID_ARGS, "the index is not from 0 to 15");
    switch (c->method) {
    case SET:
        all[i] = (int32_t)integer(&c->args[1]);
        return answer_nothing();
    case GET:
        return answer_i32(c, all[i]);
    }
    for (i = 0; i < LENGTH; i++)
        sum += all[i];
    return answer_i64(c, sum);
}

static void end_all(void) {}

INVOKE

NYASH_EXPORT int32_t nyash_plugin_init(void);
int32_t nyash_plugin_init(void)
{
    ready = true;
    return NYASH_OK;
}
