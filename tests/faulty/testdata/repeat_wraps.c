/* The size of a text that is repeated is counted in 32 bits. */
// want: invalid-write Repeat.repeat
// explore
#include "nyash.h"

#define MOST 60000

struct nothing {
    int64_t calls;
};

static int32_t method_repeat(NyashContext *c) {
    NyashText text = nyash_arg_string(c, 0);
    int64_t times = nyash_arg_i64(c, 1);
    uint32_t size;
    char *all;
    int32_t code;
    if (times < 0) return nyash_error_arg(c, 1, "a number of times is 0 or more");
    size = (uint32_t)text.size * (uint32_t)times;
    if (size > MOST) return nyash_error(c, NYASH_E_PLUGIN, "that is more than %d bytes", MOST);
    all = malloc((size_t)size + 1);
    if (all == NULL) return nyash_error_memory(c);
    for (int64_t i = 0; text.size > 0 && i < times; i++) memcpy(all + (size_t)i * text.size, text.data, text.size);
    code = nyash_return_string(c, all, size);
    free(all);
    return code;
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "repeat", .call = method_repeat, .args = {NYASH_ARG("text", NYASH_STRING), NYASH_ARG("times", NYASH_I64)}, .result = NYASH_STRING},
};
static const NyashBox box = {.name = "Repeat", .type_id = 741, .state_size = sizeof(struct nothing), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
