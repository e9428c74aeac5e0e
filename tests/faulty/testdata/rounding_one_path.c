/* It leaves another rounding mode where it refuses a negative number of nothing. */
// want: float-control Share.of
// explore
// flags: -Wl,--no-as-needed -lm
// wasm: no module: WebAssembly rounds to nearest
#include <fenv.h>

#include "nyash.h"

struct share {
    double last;
};

static int32_t of(NyashContext *c) {
    struct share *s = nyash_self(c);
    double part = nyash_arg_f64(c, 0), whole = nyash_arg_f64(c, 1);
    int mode = fegetround();
    volatile double result;
    fesetround(FE_TOWARDZERO);
    if (whole == 0 && part < 0) return nyash_error_arg(c, 1, "more than 0");
    result = part / whole;
    fesetround(mode);
    s->last = result;
    return nyash_return_f64(c, result);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "of", .call = of, .args = {NYASH_ARG("part", NYASH_F64), NYASH_ARG("whole", NYASH_F64)}, .result = NYASH_F64},
};
static const NyashBox box = {.name = "Share", .type_id = 730, .state_size = sizeof(struct share), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
