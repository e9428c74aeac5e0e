/* A shop of the SDK, with a TypeBox table for each box beside the four functions. ITEM is the
 * name that ItemBox's table has; PUT is what put does with an item; FILLED has a BagBox begin
 * with one; SEALED adds a method that takes only one word. */
#include "nyash.h"

#ifndef ITEM
#define ITEM ItemBox
#endif
#ifndef PUT
#define PUT
#endif

typedef struct ItemBox { int64_t weight; } ItemBox;
typedef struct BagBox { int64_t weight; } BagBox;

static int32_t made(NyashContext *c)
{
    ItemBox *self = nyash_self(c);
    self->weight = nyash_arg_given(c, 0) ? nyash_arg_i64(c, 0) : 1;
    return NYASH_OK;
}

static int32_t item_weight(NyashContext *c) { return nyash_return_i64(c, ((const ItemBox *)nyash_self(c))->weight); }

static int32_t put(NyashContext *c)
{
    BagBox *self = nyash_self(c);
    const ItemBox *item = nyash_arg_instance(c, 0);
    PUT;
    self->weight = (int64_t)((uint64_t)self->weight + (uint64_t)item->weight);
    return nyash_return_i64(c, self->weight);
}

static int32_t bag_weight(NyashContext *c) { return nyash_return_i64(c, ((const BagBox *)nyash_self(c))->weight); }

#ifdef SEALED
static int32_t seal(NyashContext *c)
{
    NyashText word = nyash_arg_string(c, 0);
    return word.size == 5 && word.data[0] == 'x' && word.data[1] == 'y' && word.data[4] == 'y' ? NYASH_OK : NYASH_E_INVALID_ARGS;
}
#endif

#ifdef FILLED
static int32_t filled(NyashContext *c)
{
    ((BagBox *)nyash_self(c))->weight = ((const ItemBox *)nyash_arg_instance(c, 0))->weight;
    return NYASH_OK;
}
#endif

static const NyashMethod item_methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = made, .args = {NYASH_ARG("weight", NYASH_I64 | NYASH_OPTIONAL)}},
    {.id = 1, .name = "weight", .call = item_weight, .result = NYASH_I64},
};
static const NyashMethod bag_methods[] = {
    {.id = 1, .name = "put", .call = put, .args = {NYASH_ARG_BOX("item", "ItemBox")}, .result = NYASH_I64},
    {.id = 2, .name = "weight", .call = bag_weight, .result = NYASH_I64},
#ifdef SEALED
    {.id = 3, .name = "seal", .call = seal, .args = {NYASH_ARG("word", NYASH_STRING)}},
#endif
#ifdef FILLED
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = filled, .args = {NYASH_ARG_BOX("item", "ItemBox")}},
#endif
};
static const NyashBox item = {.name = "ItemBox", .type_id = 1, .state_size = sizeof(ItemBox), NYASH_METHODS(item_methods)};
static const NyashBox bag = {.name = "BagBox", .type_id = 2, .state_size = sizeof(BagBox), NYASH_METHODS(bag_methods)};

NYASH_PLUGIN(&item, &bag)
#define TABLE(name, box) NYASH_TYPEBOX(name, box)
TABLE(ITEM, item)
TABLE(BagBox, bag)
