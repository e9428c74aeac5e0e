/* Leaf methods that keep what they promise: they compute, log, wake and allocate. */
#include "nyash.h"

typedef struct Leaves {
    int64_t count;
    uint8_t bytes[32 << 10];
} Leaves;

static int32_t add(NyashContext *c)
{
    Leaves *l = nyash_self(c);
    l->count += nyash_arg_i64(c, 0);
    return nyash_return_i64(c, l->count);
}

static int32_t sum(NyashContext *c)
{
    const Leaves *l = nyash_self(c);
    uint64_t total = 0;
    for (size_t i = 0; i < sizeof l->bytes; i++)
        total += l->bytes[i];
    return nyash_return_i64(c, (int64_t)total);
}

static int32_t tell(NyashContext *c)
{
    (void)c;
    nyash_log(NYASH_LOG_INFO, "a line of some length from a leaf method, number %d", 1);
    nyash_wake(1);
    return NYASH_OK;
}

static int32_t take(NyashContext *c)
{
    uint8_t *memory = nyash_host()->alloc(4096);
    (void)c;
    if (memory == NULL)
        return NYASH_E_OUT_OF_MEMORY;
    memory[0] = 1;
    nyash_host()->free(memory);
    return NYASH_OK;
}

static int32_t give(NyashContext *c)
{
    const Leaves *l = nyash_self(c);
    return nyash_return_blob(c, l->bytes, 4096);
}

/* A quarter of the stack. */
static int32_t stack(NyashContext *c)
{
    volatile uint8_t bytes[64 << 10];
    for (size_t i = 0; i < sizeof bytes; i += 512)
        bytes[i] = 1;
    (void)c;
    return NYASH_OK;
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = add, .args = {NYASH_ARG("by", NYASH_I64)}, .result = NYASH_I64, .flags = NYASH_LEAF},
    {.id = 2, .name = "sum", .call = sum, .result = NYASH_I64, .flags = NYASH_LEAF},
    {.id = 3, .name = "tell", .call = tell, .flags = NYASH_LEAF},
    {.id = 4, .name = "take", .call = take, .flags = NYASH_LEAF},
    {.id = 5, .name = "give", .call = give, .result = NYASH_BLOB, .flags = NYASH_LEAF},
    {.id = 6, .name = "stack", .call = stack, .flags = NYASH_LEAF},
};

static const NyashBox leaves = {
    .name = "LeafBox", .type_id = 720, .state_size = sizeof(Leaves), NYASH_METHODS(methods)};

NYASH_PLUGIN(&leaves)
