/* A plugin without a fault, with the C SDK: box Accounts, type 764, accounts by name, between which money is moved. The
 * files that include this one each define one macro in another way. */
#include "nyash.h"
#include <stdbool.h>
#include <stdlib.h>

#define MOST 64 /* accounts, and bytes of a name */

#ifndef IS_NAMED /* whether an account has a name */
#define IS_NAMED(a, n) ((a)->size == (n).size && memcmp((a)->name, (n).data, (n).size) == 0)
#endif
#ifndef COPY_OF /* the account that a copy of the box has */
#define COPY_OF(a) copy_of(a)
#endif
#ifndef WORTH /* all money, times a rate */
#define WORTH(b, rate) (total(b) * (rate))
#endif
#ifndef ADD_MONTHS /* what each month costs */
#define ADD_MONTHS(b, months) \
    for (size_t i = 0; i < (b)->count; i++) (b)->all[i]->cents -= (months)
#endif
#ifndef UNKNOWN /* the code for a name that no account has */
#define UNKNOWN NYASH_E_PLUGIN
#endif
#ifndef NO_ROOM
#define NO_ROOM(blob) ((blob) == NULL)
#endif
#ifndef KEEPS
#define KEEPS
#define FORGET(b) (void)(b)
#endif

struct account {
    uint32_t owners; /* boxes that have it */
    char name[MOST];
    size_t size;
    int64_t cents;
};

struct accounts {
    struct account *all[MOST];
    size_t count;
    KEEPS
};

static struct account *find(struct accounts *b, NyashText name) {
    for (size_t i = 0; i < b->count; i++)
        if (IS_NAMED(b->all[i], name)) return b->all[i];
    return NULL;
}

static inline int64_t total(const struct accounts *b) {
    int64_t sum = 0;
    for (size_t i = 0; i < b->count; i++) sum += b->all[i]->cents;
    return sum;
}

static inline struct account *copy_of(const struct account *a) {
    struct account *copy = malloc(sizeof *copy);
    if (copy == NULL) return NULL;
    *copy = *a;
    copy->owners = 1;
    return copy;
}

static void fini(void *self) {
    struct accounts *b = self;
    for (size_t i = 0; i < b->count; i++)
        if (__atomic_sub_fetch(&b->all[i]->owners, 1, __ATOMIC_ACQ_REL) == 0) free(b->all[i]);
    FORGET(b);
}

static int32_t unknown(NyashContext *c) { return nyash_error(c, UNKNOWN, "there is no such account"); }

static int32_t method_open(NyashContext *c) {
    struct accounts *b = nyash_self(c);
    NyashText name = nyash_arg_string(c, 0);
    struct account *a;
    if (name.size == 0 || name.size > MOST) return nyash_error(c, NYASH_E_INVALID_ARGS, "a name has 1 to %d bytes", MOST);
    if (find(b, name) != NULL) return nyash_error(c, NYASH_E_PLUGIN, "there is one of this name");
    if (b->count == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d accounts", MOST);
    if ((a = calloc(1, sizeof *a)) == NULL) return nyash_error_memory(c);
    a->owners = 1;
    a->size = name.size;
    memcpy(a->name, name.data, name.size);
    b->all[b->count++] = a;
    return nyash_return_void(c);
}

static int32_t method_deposit(NyashContext *c) {
    struct account *a = find(nyash_self(c), nyash_arg_string(c, 0));
    int64_t cents = nyash_arg_i64(c, 1);
    if (a == NULL) return unknown(c);
    if (cents < 1 || cents > 1000000) return nyash_error(c, NYASH_E_INVALID_ARGS, "1 to 1000000 cents");
    if (a->cents > INT64_MAX / 2) return nyash_error(c, NYASH_E_PLUGIN, "the account is full");
    a->cents += cents;
    return nyash_return_void(c);
}

static int32_t method_move(NyashContext *c) {
    struct accounts *b = nyash_self(c);
    struct account *from = find(b, nyash_arg_string(c, 0)), *to = find(b, nyash_arg_string(c, 1));
    int64_t cents = nyash_arg_i64(c, 2);
    if (from == NULL || to == NULL) return unknown(c);
    if (from == to) return nyash_error(c, NYASH_E_PLUGIN, "both accounts are the same");
    if (cents < 1 || cents > from->cents) return nyash_error(c, NYASH_E_PLUGIN, "there is not so much");
    if (to->cents > INT64_MAX / 2) return nyash_error(c, NYASH_E_PLUGIN, "the account is full");
    from->cents -= cents;
    to->cents += cents;
    return nyash_return_void(c);
}

static int32_t method_balance(NyashContext *c) {
    struct account *a = find(nyash_self(c), nyash_arg_string(c, 0));
    return a == NULL ? unknown(c) : nyash_return_i64(c, a->cents);
}

static int32_t method_worth(NyashContext *c) {
    int64_t rate = nyash_arg_i64(c, 0);
    if (rate < 1 || rate > 1000000) return nyash_error(c, NYASH_E_INVALID_ARGS, "1 to 1000000");
    return nyash_return_i64(c, WORTH((struct accounts *)nyash_self(c), rate));
}

static int32_t method_charge(NyashContext *c) {
    struct accounts *b = nyash_self(c);
    int64_t months = nyash_arg_i64(c, 0);
    if (months < 1 || months > INT64_C(100000000000)) return nyash_error(c, NYASH_E_INVALID_ARGS, "1 to 100000000000 months");
    for (size_t i = 0; i < b->count; i++)
        if (b->all[i]->cents < INT64_MIN / 2) return nyash_error(c, NYASH_E_PLUGIN, "there is nothing left");
    ADD_MONTHS(b, months);
    return nyash_return_void(c);
}

static int32_t method_snapshot(NyashContext *c) {
    struct accounts *b = nyash_self(c), *copy = nyash_create(c, NULL);
    if (copy == NULL) return nyash_error_memory(c);
    for (; copy->count < b->count; copy->count++)
        if ((copy->all[copy->count] = COPY_OF(b->all[copy->count])) == NULL) return nyash_error_memory(c);
    return nyash_return_instance(c, copy);
}

static int32_t method_names(NyashContext *c) {
    struct accounts *b = nyash_self(c);
    uint8_t *blob;
    size_t size = 0;
    if (b->count == 0) return nyash_return_blob_owned(c, NULL, 0);
    blob = nyash_blob_alloc(b->count * (MOST + 1));
    if (NO_ROOM(blob)) return nyash_error_memory(c);
    for (size_t i = 0; i < b->count; i++) {
        memcpy(blob + size, b->all[i]->name, b->all[i]->size);
        size += b->all[i]->size;
        blob[size++] = '\n';
    }
    return nyash_return_blob_owned(c, blob, size);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "open", .call = method_open, .args = {NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_VOID, .doc = "A new account, of 1 to 64 bytes."},
    {.id = 2, .name = "deposit", .call = method_deposit, .args = {NYASH_ARG("name", NYASH_STRING), NYASH_ARG("cents", NYASH_I64)}, .result = NYASH_VOID, .doc = "Money for an account."},
    {.id = 3, .name = "move", .call = method_move, .args = {NYASH_ARG("from", NYASH_STRING), NYASH_ARG("to", NYASH_STRING), NYASH_ARG("cents", NYASH_I64)}, .result = NYASH_VOID, .doc = "Moves money between two accounts."},
    {.id = 4, .name = "balance", .call = method_balance, .args = {NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_I64, .doc = "What an account has."},
    {.id = 5, .name = "worth", .call = method_worth, .args = {NYASH_ARG("rate", NYASH_I64)}, .result = NYASH_I64, .doc = "All money in another currency."},
    {.id = 6, .name = "charge", .call = method_charge, .args = {NYASH_ARG("months", NYASH_I64)}, .result = NYASH_VOID, .doc = "Takes a cent for each month from each account, for 1 to 100000000000 months."},
    {.id = 7, .name = "snapshot", .call = method_snapshot, .result = NYASH_HANDLE, .doc = "Another box with the accounts as they are."},
    {.id = 8, .name = "names", .call = method_names, .result = NYASH_BLOB, .doc = "The names, a line each."},
};
static const NyashBox box = {.name = "Accounts", .type_id = 764, .state_size = sizeof(struct accounts), .fini = fini, .doc = "Accounts with cents.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
