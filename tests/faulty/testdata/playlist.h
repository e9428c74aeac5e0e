/* A list of titles with a cursor, for faults of its memory that need several calls; for a file
 * that replaces some of it. */
#include "nyash.h"
#include <stdbool.h>

/* What a fault replaces. */
#ifndef CURSOR_PAST
#define CURSOR_PAST(l, t) \
    if ((l)->cursor == (t)) (l)->cursor = (t)->next
#endif
#ifndef TITLE_ROOM
#define TITLE_ROOM(size) ((size) + 1)
#endif
#ifndef END_TITLE
#define END_TITLE(t) (t)->text[(t)->size] = 0
#endif
#ifndef TITLE_SIZE
#define TITLE_SIZE(t) (t)->size
#endif
#ifndef FREE_TITLE
#define FREE_TITLE(l, t) (free((t)->text), free(t))
#endif
#ifndef FAVOURITE
#define FAVOURITE(l, t) copy_text((t)->text, (t)->size)
#endif
#ifndef FREE_FAVOURITE
#define FREE_FAVOURITE(l) free((l)->favourite)
#endif
#ifndef AFTER_CLEAR
#define AFTER_CLEAR(l) (l)->first = (l)->last = (l)->cursor = NULL
#endif
#ifndef GROW_MARKS
#define GROW_MARKS(l) (l)->latest = &(l)->marks[(l)->mark_count - 1]
#endif

struct title {
    struct title *next;
    char *text;
    size_t size;
};

struct list {
    pthread_mutex_t lock;
    struct title *first, *last, *cursor;
    char *favourite;
    int64_t *marks, *latest;
    size_t count, mark_count, mark_room;
};

__attribute__((unused)) static char *copy_text(const char *text, size_t size) {
    char *copy = malloc(size + 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, size);
    copy[size] = 0;
    return copy;
}

static int32_t birth(NyashContext *c) {
    pthread_mutex_init(&((struct list *)nyash_self(c))->lock, NULL);
    return NYASH_OK;
}

static void forget(struct list *l) {
    for (struct title *t = l->first, *next; t != NULL; t = next) {
        next = t->next;
        FREE_TITLE(l, t);
    }
    l->count = 0;
    AFTER_CLEAR(l);
}

static void fini(void *self) {
    struct list *l = self;
    forget(l);
    FREE_FAVOURITE(l);
    free(l->marks);
    pthread_mutex_destroy(&l->lock);
}

static bool append(struct list *l, NyashText text) {
    struct title *t = calloc(1, sizeof *t);
    if (t == NULL) return false;
    t->text = malloc(TITLE_ROOM(text.size));
    if (t->text == NULL) {
        free(t);
        return false;
    }
    if (text.size > 0) memcpy(t->text, text.data, text.size);
    t->size = text.size;
    END_TITLE(t);
    if (l->last != NULL)
        l->last->next = t;
    else
        l->first = t;
    l->last = t;
    l->count++;
    return true;
}

static int32_t add(NyashContext *c) {
    struct list *l = nyash_self(c);
    bool done;
    int64_t n;
    pthread_mutex_lock(&l->lock);
    done = append(l, nyash_arg_string(c, 0));
    n = (int64_t)l->count;
    pthread_mutex_unlock(&l->lock);
    return done ? nyash_return_i64(c, n) : nyash_error(c, NYASH_E_OUT_OF_MEMORY, "no memory for a title");
}

/* The number-th title, and what is in front of it. */
static struct title *nth(struct list *l, int64_t number, struct title **before) {
    struct title *t = l->first;
    *before = NULL;
    if (number < 0) return NULL;
    for (; t != NULL && number > 0; number--) {
        *before = t;
        t = t->next;
    }
    return t;
}

static int32_t discard(NyashContext *c) {
    struct list *l = nyash_self(c);
    struct title *t, *before;
    pthread_mutex_lock(&l->lock);
    t = nth(l, nyash_arg_i64(c, 0), &before);
    if (t != NULL) {
        CURSOR_PAST(l, t);
        if (before != NULL)
            before->next = t->next;
        else
            l->first = t->next;
        if (l->last == t) l->last = before;
        l->count--;
        FREE_TITLE(l, t);
    }
    pthread_mutex_unlock(&l->lock);
    return nyash_return_bool(c, t != NULL);
}

static int32_t rewind_cursor(NyashContext *c) {
    struct list *l = nyash_self(c);
    pthread_mutex_lock(&l->lock);
    l->cursor = l->first;
    pthread_mutex_unlock(&l->lock);
    return nyash_return_void(c);
}

static int32_t advance(NyashContext *c) {
    struct list *l = nyash_self(c);
    bool more;
    pthread_mutex_lock(&l->lock);
    if (l->cursor != NULL) l->cursor = l->cursor->next;
    more = l->cursor != NULL;
    pthread_mutex_unlock(&l->lock);
    return nyash_return_bool(c, more);
}

static int32_t current(NyashContext *c) {
    struct list *l = nyash_self(c);
    int32_t code;
    pthread_mutex_lock(&l->lock);
    code = l->cursor == NULL ? nyash_return_text(c, "") : nyash_return_string(c, l->cursor->text, TITLE_SIZE(l->cursor));
    pthread_mutex_unlock(&l->lock);
    return code;
}

static int32_t prefer(NyashContext *c) {
    struct list *l = nyash_self(c);
    struct title *t, *before;
    char *chosen = NULL;
    pthread_mutex_lock(&l->lock);
    t = nth(l, nyash_arg_i64(c, 0), &before);
    if (t != NULL && (chosen = FAVOURITE(l, t)) != NULL) {
        FREE_FAVOURITE(l);
        l->favourite = chosen;
    }
    pthread_mutex_unlock(&l->lock);
    return nyash_return_bool(c, chosen != NULL);
}

static int32_t favourite(NyashContext *c) {
    struct list *l = nyash_self(c);
    int32_t code;
    pthread_mutex_lock(&l->lock);
    code = nyash_return_text(c, l->favourite == NULL ? "" : l->favourite);
    pthread_mutex_unlock(&l->lock);
    return code;
}

static int32_t mark(NyashContext *c) {
    struct list *l = nyash_self(c);
    size_t room;
    bool done = true;
    pthread_mutex_lock(&l->lock);
    room = l->mark_room == 0 ? 4 : 2 * l->mark_room;
    if (l->mark_count == l->mark_room) {
        int64_t *grown = realloc(l->marks, room * sizeof *grown);
        if ((done = grown != NULL)) {
            l->marks = grown;
            l->mark_room = room;
        }
    }
    if (done) {
        l->marks[l->mark_count++] = nyash_arg_i64(c, 0);
        GROW_MARKS(l);
    }
    pthread_mutex_unlock(&l->lock);
    return done ? nyash_return_void(c) : nyash_error(c, NYASH_E_OUT_OF_MEMORY, "no memory for a mark");
}

static int32_t latest(NyashContext *c) {
    struct list *l = nyash_self(c);
    int64_t n;
    pthread_mutex_lock(&l->lock);
    n = l->latest == NULL ? 0 : *l->latest;
    pthread_mutex_unlock(&l->lock);
    return nyash_return_i64(c, n);
}

static int32_t clear(NyashContext *c) {
    struct list *l = nyash_self(c);
    pthread_mutex_lock(&l->lock);
    forget(l);
    pthread_mutex_unlock(&l->lock);
    return nyash_return_void(c);
}

static const NyashMethod methods[] = {
    {.id = 0, .name = "birth", .call = birth},
    {.id = 1, .name = "add", .call = add, .args = {NYASH_ARG("title", NYASH_STRING)}, .result = NYASH_I64},
    {.id = 2, .name = "discard", .call = discard, .args = {NYASH_ARG("index", NYASH_I64)}, .result = NYASH_BOOL},
    {.id = 3, .name = "rewind", .call = rewind_cursor, .result = NYASH_VOID},
    {.id = 4, .name = "advance", .call = advance, .result = NYASH_BOOL},
    {.id = 5, .name = "current", .call = current, .result = NYASH_STRING},
    {.id = 6, .name = "prefer", .call = prefer, .args = {NYASH_ARG("index", NYASH_I64)}, .result = NYASH_BOOL},
    {.id = 7, .name = "favourite", .call = favourite, .result = NYASH_STRING},
    {.id = 8, .name = "mark", .call = mark, .args = {NYASH_ARG("at", NYASH_I64)}, .result = NYASH_VOID},
    {.id = 9, .name = "latest", .call = latest, .result = NYASH_I64},
    {.id = 10, .name = "clear", .call = clear, .result = NYASH_VOID},
};
static const NyashBox box = {.name = "Playlist", .type_id = 730, .state_size = sizeof(struct list), .fini = fini, NYASH_METHODS(methods)};

NYASH_PLUGIN(&box)
