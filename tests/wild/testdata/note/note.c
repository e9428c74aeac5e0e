/* NoteBox: a table that is as the flags say. */
#include "../wild.h"

enum { NOTE = 11 };
enum { WRITE = 1, READ };

typedef struct Note {
    uint16_t size;
    uint8_t data[256];
} Note;

static int32_t dispatch(Call *c)
{
    if (c->method == NYASH_METHOD_BIRTH) {
        if (!takes(c, ""))
            return NYASH_E_INVALID_ARGS;
        if (!birth_fits(c))
            return NYASH_E_SHORT_BUFFER;
        uint32_t id = make(NOTE, sizeof(Note));
        return id == 0 ? NYASH_E_OUT_OF_MEMORY : answer_birth(c, id);
    }
    Note *n = find(NOTE, c->instance);
    if (n == NULL)
        return NYASH_E_INVALID_HANDLE;
    switch (c->method) {
    case NYASH_METHOD_FINI:
        return drop(c->instance), answer_nothing();
    case WRITE:
        if (!takes(c, "s"))
            return NYASH_E_INVALID_ARGS;
        if (c->args[0].size > sizeof n->data)
            return fail(c, NYASH_E_INVALID_ARGS, "a note has at most 256 bytes");
        memcpy(n->data, c->args[0].data, n->size = c->args[0].size);
        return answer_nothing();
    case READ:
        return takes(c, "") ? answer(c, NYASH_TAG_STRING, n->data, n->size) : NYASH_E_INVALID_ARGS;
    }
    return NYASH_E_INVALID_METHOD;
}

static void end_all(void) {}

static __attribute__((unused)) int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len)
{
    return serve(NOTE, method, instance, args, args_len, result, result_len);
}

#ifndef TAG
#define TAG NYASH_TYPEBOX_TAG
#endif
#ifndef VERSION
#define VERSION NYASH_TYPEBOX_VERSION
#endif
#ifndef NAME
#define NAME "NoteBox"
#endif
#ifndef SYMBOL
#define SYMBOL nyash_typebox_NoteBox
#endif
#ifndef INVOKE_ID
#define INVOKE_ID invoke_id
#endif

/* A table of another size: SHORT ends behind invoke_id, SHORTER before it, LONG is a newer
 * author's. */
typedef struct Table {
    uint32_t abi_tag;
    uint16_t version, struct_size;
    const char *name;
    uint32_t (*resolve)(const char *);
#ifndef SHORTER
    int32_t (*invoke_id)(uint32_t, uint32_t, const uint8_t *, size_t, uint8_t *, size_t *);
#endif
#ifdef LONG
    uint64_t capabilities;
    void *newer[2];
#endif
} Table;

extern NYASH_EXPORT const Table SYMBOL;
const Table SYMBOL = {
    .abi_tag = TAG, .version = VERSION, .struct_size = sizeof(Table), .name = NAME,
#ifndef SHORTER
    .invoke_id = INVOKE_ID,
#endif
};
