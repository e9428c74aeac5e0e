/*
 * MathBox: arithmetic as a Nyash plugin. Integers never wrap and floats never
 * become infinite or NaN unnoticed: both are errors.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) 2026 The nyash-go authors
 *
 * An instance has no state, so calls on one may run at once.
 */
#include <math.h>
#include <stdbool.h>

#include "../sdk/c/nyash.h"

static int32_t overflow(NyashContext *c) {
    return nyash_error(c, NYASH_E_PLUGIN, "overflow: the result does not fit 64 bits");
}

static int32_t by_zero(NyashContext *c) { return nyash_error(c, NYASH_E_PLUGIN, "division by zero"); }

static int32_t add(NyashContext *c) {
    int64_t r;
    return __builtin_add_overflow(nyash_arg_i64(c, 0), nyash_arg_i64(c, 1), &r) ? overflow(c) : nyash_return_i64(c, r);
}

static int32_t sub(NyashContext *c) {
    int64_t r;
    return __builtin_sub_overflow(nyash_arg_i64(c, 0), nyash_arg_i64(c, 1), &r) ? overflow(c) : nyash_return_i64(c, r);
}

static int32_t mul(NyashContext *c) {
    int64_t r;
    return __builtin_mul_overflow(nyash_arg_i64(c, 0), nyash_arg_i64(c, 1), &r) ? overflow(c) : nyash_return_i64(c, r);
}

static int32_t divide(NyashContext *c) {
    int64_t a = nyash_arg_i64(c, 0), b = nyash_arg_i64(c, 1);
    if (b == 0)
        return by_zero(c);
    return a == INT64_MIN && b == -1 ? overflow(c) : nyash_return_i64(c, a / b);
}

static int32_t mod(NyashContext *c) {
    int64_t a = nyash_arg_i64(c, 0), b = nyash_arg_i64(c, 1);
    if (b == 0)
        return by_zero(c);
    return nyash_return_i64(c, b == -1 ? 0 : a % b); /* INT64_MIN % -1 would trap */
}

static int32_t ipow(NyashContext *c) {
    int64_t base = nyash_arg_i64(c, 0), exponent = nyash_arg_i64(c, 1), r = 1;
    if (exponent < 0)
        return nyash_error_arg(c, 1, "wanted 0 or more, got a negative number");
    while (exponent > 0) {
        if (exponent % 2 != 0 && __builtin_mul_overflow(r, base, &r))
            return overflow(c);
        exponent /= 2;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base))
            return overflow(c);
    }
    return nyash_return_i64(c, r);
}

/* Answers a float; an infinity or a NaN only where an argument is one. */
static int32_t return_float(NyashContext *c, double v) {
    bool finite = true;
    for (size_t i = 0; i < nyash_arg_count(c); i++)
        finite = finite && isfinite(nyash_arg_f64(c, i));
    if (finite && isnan(v))
        return nyash_error(c, NYASH_E_PLUGIN, "not a real number");
    if (finite && isinf(v))
        return nyash_error(c, NYASH_E_PLUGIN, "overflow: the result does not fit a float");
    return nyash_return_f64(c, v);
}

static int32_t fadd(NyashContext *c) { return return_float(c, nyash_arg_f64(c, 0) + nyash_arg_f64(c, 1)); }
static int32_t fsub(NyashContext *c) { return return_float(c, nyash_arg_f64(c, 0) - nyash_arg_f64(c, 1)); }
static int32_t fmul(NyashContext *c) { return return_float(c, nyash_arg_f64(c, 0) * nyash_arg_f64(c, 1)); }
static int32_t fpow(NyashContext *c) { return return_float(c, pow(nyash_arg_f64(c, 0), nyash_arg_f64(c, 1))); }
static int32_t fexp(NyashContext *c) { return return_float(c, exp(nyash_arg_f64(c, 0))); }
static int32_t fsqrt(NyashContext *c) { return return_float(c, sqrt(nyash_arg_f64(c, 0))); }

static int32_t fdiv(NyashContext *c) {
    double b = nyash_arg_f64(c, 1);
    return b == 0 ? by_zero(c) : return_float(c, nyash_arg_f64(c, 0) / b);
}

static int32_t flog(NyashContext *c) {
    double v = nyash_arg_f64(c, 0);
    return v == 0 ? nyash_error(c, NYASH_E_PLUGIN, "the logarithm of zero") : return_float(c, log(v));
}

#define TWO(number, word, function, type, a, b, text)                                     \
    {.id = number, .name = word, .call = function, .args = {NYASH_ARG(a, type), NYASH_ARG(b, type)}, \
     .result = type, .doc = text}
#define ONE(number, word, function, text)                                                    \
    {.id = number, .name = word, .call = function, .args = {NYASH_ARG("x", NYASH_F64)}, \
     .result = NYASH_F64, .doc = text}

static const NyashMethod methods[] = {
    TWO(1, "add", add, NYASH_I64, "a", "b", "a + b"),
    TWO(2, "sub", sub, NYASH_I64, "a", "b", "a - b"),
    TWO(3, "mul", mul, NYASH_I64, "a", "b", "a * b"),
    TWO(4, "div", divide, NYASH_I64, "a", "b", "a / b, rounded towards zero"),
    TWO(5, "mod", mod, NYASH_I64, "a", "b", "what a / b leaves; it has the sign of a"),
    TWO(6, "ipow", ipow, NYASH_I64, "base", "exponent", "base to the power of an exponent that is not negative"),
    TWO(7, "fadd", fadd, NYASH_F64, "a", "b", "a + b"),
    TWO(8, "fsub", fsub, NYASH_F64, "a", "b", "a - b"),
    TWO(9, "fmul", fmul, NYASH_F64, "a", "b", "a * b"),
    TWO(10, "fdiv", fdiv, NYASH_F64, "a", "b", "a / b"),
    TWO(11, "pow", fpow, NYASH_F64, "base", "exponent", "base to the power of exponent"),
    ONE(12, "sqrt", fsqrt, "the square root of x"),
    ONE(13, "exp", fexp, "e to the power of x"),
    ONE(14, "log", flog, "the natural logarithm of x"),
};

static const NyashBox box = {.name = "MathBox", .type_id = 8, .doc = "Arithmetic whose errors are not silent.",
                             .flags = NYASH_CONCURRENT, NYASH_METHODS(methods)};

NYASH_PLUGIN(&box)
