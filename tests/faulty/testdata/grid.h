/* A plugin without a fault, with the C SDK: box Grid, type 753, numbers in rows and columns. The files that include this one each define one
 * macro in another way, and so have one fault. */
#include <stdio.h>
#include "nyash.h"

#define MOST 300

/* What a fault replaces. */
#ifndef BEFORE_RESIZE /* what is done before there is memory */
#define BEFORE_RESIZE(g, r, c) (void)0
#endif
#ifndef SIZE_OF /* the type of the size of all cells as text */
#define SIZE_OF(size) (size)
#endif

struct grid {
    int64_t rows, columns;
    uint8_t *cells;
};

static int32_t birth(NyashContext *c) {
    struct grid *g = nyash_self(c);
    g->cells = calloc(1, 1);
    g->rows = g->columns = 1;
    return g->cells == NULL ? nyash_error_memory(c) : NYASH_OK;
}

static void fini(void *self) { free(((struct grid *)self)->cells); }

static int32_t resize(NyashContext *c) {
    struct grid *g = nyash_self(c);
    int64_t rows = nyash_arg_i64(c, 0), columns = nyash_arg_i64(c, 1);
    uint8_t *cells;
    if (rows < 1 || rows > MOST || columns < 1 || columns > MOST) return nyash_error(c, NYASH_E_INVALID_ARGS, "a grid has 1 to %d rows and columns", MOST);
    BEFORE_RESIZE(g, rows, columns);
    cells = calloc((size_t)rows, (size_t)columns);
    if (cells == NULL) return nyash_error_memory(c);
    free(g->cells);
    g->cells = cells;
    g->rows = rows;
    g->columns = columns;
    return NYASH_OK;
}

static int32_t set(NyashContext *c) {
    struct grid *g = nyash_self(c);
    int64_t row = nyash_arg_i64(c, 0), column = nyash_arg_i64(c, 1), n = nyash_arg_i64(c, 2);
    if (row < 0 || row >= g->rows || column < 0 || column >= g->columns) return nyash_error(c, NYASH_E_INVALID_ARGS, "there is no such cell");
    if (n < 0 || n > 9) return nyash_error_arg(c, 2, "a cell holds 0 to 9");
    g->cells[row * g->columns + column] = (uint8_t)n;
    return NYASH_OK;
}

static int32_t text(NyashContext *c) {
    struct grid *g = nyash_self(c);
    size_t size = SIZE_OF((size_t)(g->rows * (g->columns + 1))), at = 0;
    char *all;
    int32_t code;
    if (size > NYASH_TLV_MAX_PAYLOAD) return nyash_error(c, NYASH_E_PLUGIN, "that is too much for one result");
    all = malloc(size);
    if (all == NULL) return nyash_error_memory(c);
    for (int64_t row = 0; row < g->rows; row++) {
        for (int64_t column = 0; column < g->columns; column++) all[at++] = (char)('0' + g->cells[row * g->columns + column]);
        all[at++] = '\n';
    }
    code = nyash_return_string(c, all, size);
    free(all);
    return code;
}

static int32_t cells(NyashContext *c) {
    struct grid *g = nyash_self(c);
    return nyash_return_i64(c, g->rows * g->columns);
}

#define NUMBER(n) NYASH_ARG(n, NYASH_I64)
static const NyashMethod methods[] = {
    {.id = NYASH_METHOD_BIRTH, .name = "birth", .call = birth},
    {.id = 1, .name = "resize", .call = resize, .args = {NUMBER("rows"), NUMBER("columns")}},
    {.id = 2, .name = "set", .call = set, .args = {NUMBER("row"), NUMBER("column"), NUMBER("digit")}},
    {.id = 3, .name = "text", .call = text, .result = NYASH_STRING},
    {.id = 4, .name = "cells", .call = cells, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Grid", .type_id = 753, .state_size = sizeof(struct grid), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
