/* Door takes and returns a Key, under names that the test gives: BIRTH, OPEN, LEND. */
#include "nyash.h"

static int32_t birth(NyashContext *c) { return nyash_return_void(c); }
static int32_t lend(NyashContext *c) { return nyash_return_instance(c, nyash_create(c, NULL)); }

static const NyashMethod methods[] = {
    {.id = 0, .name = "birth", .call = birth, .args = {{"key", NYASH_HANDLE, BIRTH, NULL, NULL}}},
    {.id = 1, .name = "open", .call = birth,
     .args = {NYASH_ARG("hard", NYASH_BOOL), {"key", NYASH_HANDLE | NYASH_OPTIONAL, OPEN, NULL, NULL}}},
    {.id = 2, .name = "lend", .call = lend, .result = NYASH_HANDLE, .result_box = LEND},
};
static const NyashBox key = {.name = "Key", .type_id = 1};
static const NyashBox door = {.name = "Door", .type_id = 2, NYASH_METHODS(methods)};

NYASH_PLUGIN(&key, &door)

#include "typo.h"
