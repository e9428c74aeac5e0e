/* A poster with a text, which copies share until one of them has another: the text counts who has it. */
#include "nyash.h"
#include <stdlib.h>

#ifndef OWN
#define OWN(t) (void)__atomic_add_fetch(&(t)->owners, 1, __ATOMIC_RELAXED)
#define DISOWN(t) (__atomic_sub_fetch(&(t)->owners, 1, __ATOMIC_ACQ_REL) == 0)
#endif

struct text {
    uint32_t owners;
    size_t size;
    char data[];
};

struct poster {
    struct text *text;
};

static void drop(struct text *t) {
    if (t != NULL && DISOWN(t)) free(t);
}

static void fini(void *self) { drop(((struct poster *)self)->text); }

static int32_t method_write(NyashContext *c) {
    struct poster *p = nyash_self(c);
    NyashText from = nyash_arg_string(c, 0);
    struct text *t = malloc(sizeof *t + from.size);
    if (t == NULL) return nyash_error_memory(c);
    t->owners = 1;
    t->size = from.size;
    if (from.size > 0) memcpy(t->data, from.data, from.size);
    drop(p->text);
    p->text = t;
    return nyash_return_void(c);
}

static int32_t method_read(NyashContext *c) {
    struct poster *p = nyash_self(c);
    return p->text == NULL ? nyash_return_text(c, "") : nyash_return_string(c, p->text->data, p->text->size);
}

static int32_t method_copy(NyashContext *c) {
    struct poster *p = nyash_self(c), *copy = nyash_create(c, NULL);
    if (copy == NULL) return nyash_error_memory(c);
    if ((copy->text = p->text) != NULL) OWN(p->text);
    return nyash_return_instance(c, copy);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "write", .call = method_write, .args = {NYASH_ARG("text", NYASH_STRING)}, .result = NYASH_VOID, .doc = "Another text."},
    {.id = 2, .name = "read", .call = method_read, .result = NYASH_STRING, .doc = "The text."},
    {.id = 3, .name = "copy", .call = method_copy, .result = NYASH_HANDLE, .doc = "A poster with the same text."},
};
static const NyashBox box = {.name = "Poster", .type_id = 761, .state_size = sizeof(struct poster), .fini = fini, .doc = "A text.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
