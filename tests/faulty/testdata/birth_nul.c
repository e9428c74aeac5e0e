/* What it is called is what its birth was given, up to a NUL. */
// want: value-damaged Named.name
// explore
#include "nyash.h"

#define LONGEST 300

struct named {
    int64_t calls;
    char name[LONGEST + 1];
};

static int32_t birth(NyashContext *c) {
    struct named *n = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0);
    if (name.size > LONGEST) return nyash_error_arg(c, 0, "a name has up to 300 bytes");
    if (name.size > 0) memcpy(n->name, name.data, name.size);
    n->name[name.size] = '\0';
    return NYASH_OK;
}

static int32_t method_name(NyashContext *c) {
    struct named *n = nyash_self(c);
    return nyash_return_string(c, n->name, strlen(n->name));
}

static const NyashMethod methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = birth, .args = {NYASH_ARG("name", NYASH_STRING)}},
    {.id = 1, .name = "name", .call = method_name, .result = NYASH_STRING},
};
static const NyashBox box = {.name = "Named", .type_id = 738, .state_size = sizeof(struct named), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
