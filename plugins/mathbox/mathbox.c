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

#define MATH_BOX_STATE_SIZE 0
#define MATH_BOX_FLAGS NYASH_CONCURRENT
#include "../sdk/c/nyash.h"
#include "mathbox.gen.h"

static int32_t overflow(NyashContext *c) {
    return nyash_error(c, NYASH_E_PLUGIN, "overflow: the result does not fit 64 bits");
}

static int32_t by_zero(NyashContext *c) { return nyash_error(c, NYASH_E_PLUGIN, "division by zero"); }

static int32_t math_box_add(NyashContext *c, int64_t a, int64_t b) {
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? overflow(c) : nyash_return_i64(c, r);
}

static int32_t math_box_sub(NyashContext *c, int64_t a, int64_t b) {
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? overflow(c) : nyash_return_i64(c, r);
}

static int32_t math_box_mul(NyashContext *c, int64_t a, int64_t b) {
    int64_t r;
    return __builtin_mul_overflow(a, b, &r) ? overflow(c) : nyash_return_i64(c, r);
}

static int32_t math_box_div(NyashContext *c, int64_t a, int64_t b) {
    if (b == 0)
        return by_zero(c);
    return a == INT64_MIN && b == -1 ? overflow(c) : nyash_return_i64(c, a / b);
}

static int32_t math_box_mod(NyashContext *c, int64_t a, int64_t b) {
    if (b == 0)
        return by_zero(c);
    return nyash_return_i64(c, b == -1 ? 0 : a % b); /* INT64_MIN % -1 would trap */
}

static int32_t math_box_ipow(NyashContext *c, int64_t base, int64_t exponent) {
    int64_t r = 1;
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

static int32_t math_box_fadd(NyashContext *c, double a, double b) { return return_float(c, a + b); }
static int32_t math_box_fsub(NyashContext *c, double a, double b) { return return_float(c, a - b); }
static int32_t math_box_fmul(NyashContext *c, double a, double b) { return return_float(c, a * b); }
static int32_t math_box_pow(NyashContext *c, double base, double exponent) { return return_float(c, pow(base, exponent)); }
static int32_t math_box_exp(NyashContext *c, double x) { return return_float(c, exp(x)); }
static int32_t math_box_sqrt(NyashContext *c, double x) { return return_float(c, sqrt(x)); }

static int32_t math_box_fdiv(NyashContext *c, double a, double b) {
    return b == 0 ? by_zero(c) : return_float(c, a / b);
}

static int32_t math_box_log(NyashContext *c, double x) {
    return x == 0 ? nyash_error(c, NYASH_E_PLUGIN, "the logarithm of zero") : return_float(c, log(x));
}

NYASH_PLUGIN(&math_box_table)
