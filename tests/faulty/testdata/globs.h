/* Names, and how many of them match a pattern: * for any letters, ? for one. */
#include "nyash.h"
#include <stdbool.h>

#define MOST 64
#define LONGEST 4096

struct name {
    char *text;
    size_t size;
};

struct globs {
    struct name names[MOST];
    size_t used;
};

#ifndef MATCHES
#define MATCHES matches
/* At a mismatch the last star takes one letter more: those before it never have to. */
static bool matches(const char *p, const char *pend, const char *t, const char *tend) {
    const char *star = NULL, *again = NULL;
    while (t < tend) {
        if (p < pend && *p == '*') {
            star = ++p;
            again = t;
        } else if (p < pend && (*p == '?' || *p == *t)) {
            p++;
            t++;
        } else if (star != NULL) {
            p = star;
            t = ++again;
        } else {
            return false;
        }
    }
    while (p < pend && *p == '*') p++;
    return p == pend;
}
#endif

static int32_t method_add(NyashContext *c) {
    struct globs *g = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    struct name *n = &g->names[g->used];
    if (text.size > LONGEST) return nyash_error_arg(c, 0, "a name has at most 4,096 bytes");
    if (g->used == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are 64 names");
    n->text = malloc(text.size + 1);
    if (n->text == NULL) return nyash_error_memory(c);
    if (text.size > 0) memcpy(n->text, text.data, text.size);
    n->size = text.size;
    return nyash_return_i64(c, (int64_t)++g->used);
}

static int32_t method_matching(NyashContext *c) {
    struct globs *g = nyash_self(c);
    NyashText p = nyash_arg_string(c, 0);
    int64_t n = 0;
    if (p.size > LONGEST) return nyash_error_arg(c, 0, "a pattern has at most 4,096 bytes");
    for (size_t i = 0; i < g->used; i++) n += MATCHES(p.data, p.data + p.size, g->names[i].text, g->names[i].text + g->names[i].size);
    return nyash_return_i64(c, n);
}

static int32_t method_used(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct globs *)nyash_self(c))->used); }

static void fini(void *state) {
    struct globs *g = state;
    for (size_t i = 0; i < g->used; i++) free(g->names[i].text);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_I64},
    {.id = 2, .name = "matching", .call = method_matching, .args = {NYASH_ARG("pattern", NYASH_STRING)}, .result = NYASH_I64},
    {.id = 3, .name = "used", .call = method_used, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Globs", .type_id = 755, .state_size = sizeof(struct globs), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
