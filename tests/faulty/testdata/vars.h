/* Variables, and texts in which ${name} stands for one, whose value may have others. */
#include "nyash.h"
#include <stdbool.h>

#define MOST 32
#define LONGEST 64
#define ROOM 4096
#define DEEPEST 16
/* Whether variables have been replaced in each other too often. */
#ifndef TOO_DEEP
#define TOO_DEEP(depth) ((depth) > DEEPEST)
#endif

struct var {
    char name[LONGEST], value[LONGEST];
    size_t name_size, value_size;
};

struct vars {
    struct var all[MOST];
    size_t used;
};

struct expanded {
    char text[ROOM];
    size_t size;
};

static struct var *find(struct vars *v, const char *name, size_t size) {
    for (size_t i = 0; i < v->used; i++)
        if (v->all[i].name_size == size && memcmp(v->all[i].name, name, size) == 0) return &v->all[i];
    return NULL;
}

static bool expand(struct vars *v, const char *text, size_t size, struct expanded *to, int depth) {
    if (TOO_DEEP(depth)) return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '$' && i + 1 < size && text[i + 1] == '{') {
            const char *name = text + i + 2, *end = memchr(name, '}', size - i - 2);
            struct var *found;
            if (end == NULL) return false;
            found = find(v, name, (size_t)(end - name));
            if (found != NULL && !expand(v, found->value, found->value_size, to, depth + 1)) return false;
            i = (size_t)(end - text);
        } else {
            if (to->size == ROOM) return false;
            to->text[to->size++] = text[i];
        }
    }
    return true;
}

static int32_t method_set(NyashContext *c) {
    struct vars *v = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0), value = nyash_arg_string(c, 1);
    struct var *found = find(v, name.data, name.size);
    if (name.size == 0 || name.size > LONGEST) return nyash_error_arg(c, 0, "a name has 1 to 64 bytes");
    if (value.size > LONGEST) return nyash_error_arg(c, 1, "a value has at most 64 bytes");
    if (found == NULL && v->used == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are 32 variables");
    if (found == NULL) {
        found = &v->all[v->used++];
        memcpy(found->name, name.data, name.size);
        found->name_size = name.size;
    }
    if (value.size > 0) memcpy(found->value, value.data, value.size);
    found->value_size = value.size;
    return nyash_return_void(c);
}

static int32_t method_expand(NyashContext *c) {
    NyashText text = nyash_arg_string(c, 0);
    struct expanded to = {.size = 0};
    if (!expand(nyash_self(c), text.data, text.size, &to, 0)) return nyash_error_arg(c, 0, "no end of a name, variables in each other more than 16 deep, or more than 4,096 bytes");
    return nyash_return_string(c, to.text, to.size);
}

static int32_t method_used(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct vars *)nyash_self(c))->used); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "set", .call = method_set, .args = {NYASH_ARG("name", NYASH_STRING), NYASH_ARG("value", NYASH_STRING)}},
    {.id = 2, .name = "expand", .call = method_expand, .args = {NYASH_ARG("text", NYASH_STRING)}, .result = NYASH_STRING},
    {.id = 3, .name = "used", .call = method_used, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Vars", .type_id = 756, .state_size = sizeof(struct vars), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
