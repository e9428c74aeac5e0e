/* TextBox: a text, and answers of every type. */
#include "../wild.h"

enum { TEXT = 61 };
enum { SET = 1, TEXT_OF, BYTES, LENGTH, SHARE, CONTAINS, UPPER, CLEAR, APPEND, PAD };

static const NyashMethodInfo methods[] = {
    {SET, "set", 0}, {TEXT_OF, "text", 0}, {BYTES, "bytes", 0}, {LENGTH, "length", 0}, {SHARE, "share", 0},
    {CONTAINS, "contains", 0}, {UPPER, "upper", 0}, {CLEAR, "clear", 0}, {APPEND, "append", 0}, {PAD, "pad", 0},
};
enum { METHODS = sizeof methods / sizeof *methods };

typedef struct Text {
    uint16_t size;
    uint8_t data[NYASH_TLV_MAX_PAYLOAD];
} Text;

static int32_t birth(Call *c)
{
    if (!takes(c, "?s"))
        return NYASH_E_INVALID_ARGS;
    if (!birth_fits(c))
        return NYASH_E_SHORT_BUFFER;
    uint32_t id = make(TEXT, sizeof(Text));
    if (id == 0)
        return NYASH_E_OUT_OF_MEMORY;
    if (c->argc == 1) {
        Text *t = find(TEXT, id);
        memcpy(t->data, c->args[0].data, t->size = c->args[0].size);
    }
    return answer_birth(c, id);
}

static int32_t share(Call *c, const Text *t)
{
    double n = 0;
    for (size_t i = 0; i < t->size; i++)
        n += memchr(c->args[0].data, t->data[i], c->args[0].size) != NULL;
    if (t->size > 0)
        n /= t->size;
    return answer(c, NYASH_TAG_F64, &n, sizeof n);
}

static int32_t contains(Call *c, const Text *t)
{
    const Value *v = &c->args[0];
    for (size_t i = 0; i + v->size <= t->size; i++)
        if (memcmp(t->data + i, v->data, v->size) == 0)
            return answer_bool(c, true);
    return answer_bool(c, false);
}

static int32_t upper(Call *c, uint32_t of)
{
    if (!fits(c, 8))
        return NYASH_E_SHORT_BUFFER;
    uint32_t id = make(TEXT, sizeof(Text));
    if (id == 0)
        return NYASH_E_OUT_OF_MEMORY;
    const Text *t = find(TEXT, of);
    Text *copy = find(TEXT, id);
    copy->size = t->size;
    for (size_t i = 0; i < t->size; i++)
        copy->data[i] = t->data[i] >= 'a' && t->data[i] <= 'z' ? (uint8_t)(t->data[i] - 32) : t->data[i];
    return answer_handle(c, TEXT, id);
}

static int32_t append(Call *c, Text *t)
{
    uint32_t type, id;
    handle(&c->args[0], &type, &id);
    const Text *other = type == TEXT ? find(TEXT, id) : NULL;
    if (other == NULL)
        return NYASH_E_INVALID_HANDLE;
    uint16_t size = other->size; /* the two may be one */
    if (t->size + size > NYASH_TLV_MAX_PAYLOAD)
        return fail(c, NYASH_E_PLUGIN, "the text would be too long");
    memmove(t->data + t->size, other->data, size);
    t->size = (uint16_t)(t->size + size);
    return answer_nothing();
}

/* pad answers the text with fill around it: pad(width, fill = " ", left = false). */
static int32_t pad(Call *c, const Text *t)
{
    int64_t width = integer(&c->args[0]);
    uint8_t fill = ' ';
    if (c->argc > 1) {
        if (c->args[1].size != 1)
            return fail(c, NYASH_E_INVALID_ARGS, "fill has one character");
        fill = c->args[1].data[0];
    }
    bool left = c->argc > 2 && c->args[2].data[0] != 0;
    if (width > 1000)
        return fail(c, NYASH_E_INVALID_ARGS, "that is too wide");
    size_t size = width > t->size ? (size_t)width : t->size;
    if (!fits(c, size))
        return NYASH_E_SHORT_BUFFER;
    uint8_t *out = malloc(size + 1);
    if (out == NULL)
        return NYASH_E_OUT_OF_MEMORY;
    memset(out, fill, size);
    memcpy(out + (left ? size - t->size : 0), t->data, t->size);
    int32_t code = answer(c, NYASH_TAG_STRING, out, size);
    free(out);
    return code;
}

static int32_t dispatch(Call *c)
{
    static const char *const takes_what[METHODS + 1] = {
        [SET] = "s", [TEXT_OF] = "", [BYTES] = "", [LENGTH] = "", [SHARE] = "s", [CONTAINS] = "s", [UPPER] = "", [CLEAR] = "", [APPEND] = "h", [PAD] = "n?st",
    };
    if (c->type != TEXT)
        return NYASH_E_INVALID_TYPE;
    if (c->method == NYASH_METHOD_BIRTH)
        return birth(c);
    Text *t = find(TEXT, c->instance);
    if (t == NULL)
        return NYASH_E_INVALID_HANDLE;
    if (c->method == NYASH_METHOD_FINI)
        return drop(c->instance), answer_nothing();
    if (c->method > METHODS)
        return NYASH_E_INVALID_METHOD;
    if (!takes(c, takes_what[c->method]))
        return NYASH_E_INVALID_ARGS;
    switch (c->method) {
    case SET:
        memcpy(t->data, c->args[0].data, t->size = c->args[0].size);
        return answer_nothing();
    case TEXT_OF:
        return answer(c, NYASH_TAG_STRING, t->data, t->size);
    case BYTES:
        return answer(c, NYASH_TAG_BYTES, t->data, t->size);
    case LENGTH:
        return answer_i64(c, t->size);
    case SHARE:
        return share(c, t);
    case CONTAINS:
        return contains(c, t);
    case UPPER:
        return upper(c, c->instance);
    case CLEAR:
        t->size = 0;
        return answer_nothing();
    case APPEND:
        return append(c, t);
    }
    return pad(c, t);
}

static void end_all(void)
{
    for (size_t i = 0; i < instances.count; i++)
        if (instances.all[i].state != NULL)
            drop((uint32_t)i + 1);
}

#if defined(TABLES)
/* resolve does not know birth, which is always 0, nor fini. */
static uint32_t resolve(const char *name)
{
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method_id;
    return 0;
}
TABLE(TextBox, TEXT, resolve)
#elif defined(INVOKE_ONLY)
INVOKE
#else
FOUR_SYMBOLS(TEXT, "TextBox", METHODS, methods)
#endif
