/* The author's part of a plugin whose table is generated. */
#include <stdint.h>
#include <stdlib.h>

struct store {
    char *path;
    int read_only;
};

struct item {
    int64_t puts;
};

static void store_end(void *state) { free(((struct store *)state)->path); }

#define STORE_STATE_SIZE sizeof(struct store)
#define STORE_FINI store_end
#define STORE_LIMIT_TEXT 100
#define STORE_TAKES_PUT_1 "Item"
#define ITEM_STATE_SIZE sizeof(struct item)
#define ITEM_FLAGS NYASH_CONCURRENT
#include "kinds.h"

static int32_t store_birth(NyashContext *c, NyashText path, int read_only)
{
    struct store *self = nyash_self(c);
    self->read_only = read_only;
    return path.size == 0 ? nyash_error(c, NYASH_E_PLUGIN, "no path") : nyash_arg_cstring(c, 0, &self->path);
}

static int32_t store_flag(NyashContext *c, int on) { return nyash_return_bool(c, !on); }
static int32_t store_narrow(NyashContext *c, int32_t n) { return nyash_return_i32(c, n + 1); }
static int32_t store_wide(NyashContext *c, int64_t n) { return nyash_return_i64(c, n + 1); }
static int32_t store_single(NyashContext *c, float x) { return nyash_return_f32(c, x / 2); }
static int32_t store_double(NyashContext *c, double x, double y) { return nyash_return_f64(c, x + y); }

static int32_t store_text(NyashContext *c, NyashText s, NyashText t)
{
    char all[100];
    if (s.size + t.size > sizeof all)
        return nyash_error(c, NYASH_E_PLUGIN, "too long");
    memcpy(all, s.data, s.size);
    memcpy(all + s.size, t.data, t.size);
    return nyash_return_string(c, all, s.size + t.size);
}

static int32_t store_data(NyashContext *c, NyashBytes s, NyashBytes t)
{
    uint8_t all[100];
    if (s.size + t.size > sizeof all)
        return nyash_error(c, NYASH_E_PLUGIN, "too long");
    memcpy(all, s.data, s.size);
    memcpy(all + s.size, t.data, t.size);
    return nyash_return_bytes(c, all, s.size + t.size);
}

static int32_t store_large(NyashContext *c, NyashBytes s, NyashBytes t)
{
    uint8_t *all = nyash_blob_alloc(s.size + t.size);
    if (all == NULL)
        return nyash_error_memory(c);
    memcpy(all, s.data, s.size);
    memcpy(all + s.size, t.data, t.size);
    return nyash_return_blob_owned(c, all, s.size + t.size);
}

static int32_t store_nothing(NyashContext *c) { return nyash_return_void(c); }

static int32_t store_put(NyashContext *c, void *item)
{
    ((struct item *)item)->puts++;
    return nyash_return_void(c);
}

static int32_t answer(NyashContext *c, const NyashBox *box)
{
    void *made = nyash_create(c, box);
    return made == NULL ? nyash_error_memory(c) : nyash_return_instance(c, made);
}

static int32_t store_first(NyashContext *c) { return answer(c, &item_table); }
static int32_t store_copy(NyashContext *c) { return answer(c, NULL); }
static int32_t store_another(NyashContext *c) { return answer(c, NULL); }

static int32_t store_type(NyashContext *c, int64_t class_, int64_t fn, int64_t self, int64_t errno_)
{
    return nyash_return_i64(c, class_ + fn + self + errno_);
}

static int32_t store_read_all_16(NyashContext *c) { return nyash_return_i64(c, 16); }
static int32_t store_read_all(NyashContext *c) { return nyash_return_i64(c, 15); }
static int32_t store_close(NyashContext *c) { return nyash_return_void(c); }
static int32_t store_string(NyashContext *c) { return nyash_return_text(c, "store"); }
static int32_t store_read_byte(NyashContext *c) { return nyash_return_i32(c, 19); }
static int32_t store_clone(NyashContext *c) { return nyash_return_i32(c, 20); }
static int32_t store_table_(NyashContext *c) { return nyash_return_i32(c, 21); }

static int32_t store_many(NyashContext *c, int64_t first, int64_t second, int64_t third, int64_t fourth, int64_t fifth,
                          int64_t sixth, int64_t seventh, int64_t eighth, int64_t ninth)
{
    return nyash_return_i64(c, first + second + third + fourth + fifth + sixth + seventh + eighth + ninth);
}

static int32_t item_owner(NyashContext *c) { return answer(c, &store_table); }

static int32_t item_twin(NyashContext *c, void *other)
{
    struct item *made = nyash_create(c, NULL);
    if (made == NULL)
        return nyash_error_memory(c);
    *made = *(struct item *)other;
    return nyash_return_instance(c, made);
}

NYASH_PLUGIN(&store_table, &item_table)
