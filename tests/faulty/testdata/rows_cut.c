/* A row's beginning is so many bytes of it, where it should be so many characters. */
// want: result-not-utf8 Rows.left
// explore
#include "nyash.h"

#define MOST 20
#define LONGEST 300

struct row {
    size_t size;
    char text[LONGEST];
};

struct rows {
    struct row all[MOST];
    int64_t used;
};

static struct row *row_arg(NyashContext *c) {
    struct rows *r = nyash_self(c);
    int64_t i = nyash_arg_i64(c, 0);
    return i < 0 || i >= r->used ? NULL : &r->all[i];
}

static int32_t method_add(NyashContext *c) {
    struct rows *r = nyash_self(c);
    if (r->used == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d rows already", MOST);
    r->all[r->used].size = 0;
    return nyash_return_i64(c, r->used++);
}

static int32_t method_set(NyashContext *c) {
    struct row *row = row_arg(c);
    NyashText text = nyash_arg_string(c, 1);
    if (row == NULL) return nyash_error_arg(c, 0, "there is no such row");
    if (text.size > LONGEST) return nyash_error_arg(c, 1, "a row has up to 300 bytes");
    if (text.size > 0) memcpy(row->text, text.data, text.size);
    row->size = text.size;
    return NYASH_OK;
}

static int32_t method_left(NyashContext *c) {
    struct row *row = row_arg(c);
    int64_t n = nyash_arg_i64(c, 1);
    if (row == NULL) return nyash_error_arg(c, 0, "there is no such row");
    if (n < 0) return nyash_error_arg(c, 1, "fewer than none");
    return nyash_return_string(c, row->text, (uint64_t)n < row->size ? (size_t)n : row->size);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .result = NYASH_I64, .doc = "Adds an empty row, and answers its number."},
    {.id = 2, .name = "set", .call = method_set, .args = {NYASH_ARG("row", NYASH_I64), NYASH_ARG("text", NYASH_STRING)}},
    {.id = 3, .name = "left", .call = method_left, .args = {NYASH_ARG("row", NYASH_I64), NYASH_ARG("n", NYASH_I64)}, .result = NYASH_STRING},
};
static const NyashBox box = {.name = "Rows", .type_id = 736, .state_size = sizeof(struct rows), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
