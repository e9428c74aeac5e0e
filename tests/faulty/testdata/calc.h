/* A calculator of whole numbers: +, -, * and brackets. */
#include "nyash.h"
#include <stdbool.h>

#define DEEPEST 200
/* Whether brackets and signs are nested too deep. */
#ifndef TOO_DEEP
#define TOO_DEEP(depth) ((depth) > DEEPEST)
#endif

struct parser {
    const char *at, *end;
    int depth;
};

struct calc {
    int64_t last;
};

static bool sum(struct parser *p, int64_t *value);

static char peek(struct parser *p) {
    while (p->at < p->end && *p->at == ' ') p->at++;
    return p->at < p->end ? *p->at : 0;
}

static bool factor(struct parser *p, int64_t *value) {
    char c = peek(p);
    bool ok = false;
    if (TOO_DEEP(++p->depth)) return false;
    if (c == '-') {
        p->at++;
        ok = factor(p, value) && !__builtin_sub_overflow(0, *value, value);
    } else if (c == '(') {
        p->at++;
        ok = sum(p, value) && peek(p) == ')';
        p->at++;
    } else if (c >= '0' && c <= '9') {
        *value = 0;
        for (ok = true; ok && p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
            ok = !__builtin_mul_overflow(*value, 10, value) && !__builtin_add_overflow(*value, *p->at - '0', value);
    }
    p->depth--;
    return ok;
}

static bool product(struct parser *p, int64_t *value) {
    if (!factor(p, value)) return false;
    while (peek(p) == '*') {
        int64_t right;
        p->at++;
        if (!factor(p, &right) || __builtin_mul_overflow(*value, right, value)) return false;
    }
    return true;
}

static bool sum(struct parser *p, int64_t *value) {
    if (!product(p, value)) return false;
    for (char c = peek(p); c == '+' || c == '-'; c = peek(p)) {
        int64_t right;
        p->at++;
        if (!product(p, &right)) return false;
        if (c == '+' ? __builtin_add_overflow(*value, right, value) : __builtin_sub_overflow(*value, right, value)) return false;
    }
    return true;
}

static int32_t method_eval(NyashContext *c) {
    NyashText text = nyash_arg_string(c, 0);
    struct parser p = {text.data, text.data + text.size, 0};
    int64_t value;
    if (!sum(&p, &value) || peek(&p) != 0 || p.at < p.end) return nyash_error_arg(c, 0, "no expression, or its value is too large");
    ((struct calc *)nyash_self(c))->last = value;
    return nyash_return_i64(c, value);
}

static int32_t method_last(NyashContext *c) { return nyash_return_i64(c, ((struct calc *)nyash_self(c))->last); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "eval", .call = method_eval, .args = {NYASH_ARG("expression", NYASH_STRING)}, .result = NYASH_I64},
    {.id = 2, .name = "last", .call = method_last, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Calc", .type_id = 754, .state_size = sizeof(struct calc), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
