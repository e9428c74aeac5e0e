/* Boxes without a fault that deal with what fails around them: by reading again, by asking for less
 * memory, by doing without, by a flag, by a text, and by notes of the last errors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "nyash.h"

/* Repeats what was interrupted, and counts that. */
struct source {
    int64_t repeats;
};

static int32_t source_read(NyashContext *c) {
    struct source *s = nyash_self(c);
    char byte;
    ssize_t n;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nyash_error(c, NYASH_E_PLUGIN, "cannot open");
    while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR) s->repeats++;
    close(fd);
    return n < 0 ? nyash_error(c, NYASH_E_PLUGIN, "cannot read") : nyash_return_i64(c, n);
}

static int32_t source_repeats(NyashContext *c) { return nyash_return_i64(c, ((struct source *)nyash_self(c))->repeats); }

static int32_t source_state(NyashContext *c) {
    char byte;
    ssize_t n;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nyash_return_text(c, "unknown: it cannot be opened");
    do n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    close(fd);
    return nyash_return_text(c, n < 0 ? "unknown: it cannot be read" : "open");
}

/* Takes more memory than it needs where there is some. */
struct pile {
    char *data;
    size_t size, room;
};

static int32_t pile_add(NyashContext *c) {
    struct pile *p = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    size_t need = p->size + text.size;
    if (need > 50000) return nyash_error(c, NYASH_E_PLUGIN, "it is full");
    if (need > p->room) {
        size_t room = 2 * need + 32;
        char *data = realloc(p->data, room);
        if (data == NULL) data = realloc(p->data, room = need + 1);
        if (data == NULL) return nyash_error_memory(c);
        p->data = data;
        p->room = room;
    }
    if (text.size > 0) memcpy(p->data + p->size, text.data, text.size);
    p->size = need;
    return nyash_return_void(c);
}

static int32_t pile_room(NyashContext *c) { return nyash_return_i64(c, (int64_t)((struct pile *)nyash_self(c))->room); }

static int32_t pile_text(NyashContext *c) {
    struct pile *p = nyash_self(c);
    return nyash_return_string(c, p->size == 0 ? "" : p->data, p->size);
}

static void pile_fini(void *state) { free(((struct pile *)state)->data); }

/* Remembers the last text where there is memory. */
struct sums {
    char *last;
    size_t size;
    int64_t sum, hits;
};

static int32_t sums_of(NyashContext *c) {
    struct sums *s = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    int64_t sum = 0;
    if (s->last != NULL && s->size == text.size && (text.size == 0 || memcmp(s->last, text.data, text.size) == 0)) {
        s->hits++;
        return nyash_return_i64(c, s->sum);
    }
    for (size_t i = 0; i < text.size; i++) sum += (unsigned char)text.data[i];
    free(s->last);
    s->last = malloc(text.size + 1);
    if (s->last != NULL && text.size > 0) memcpy(s->last, text.data, text.size);
    s->size = text.size;
    s->sum = sum;
    return nyash_return_i64(c, sum);
}

static int32_t sums_hits(NyashContext *c) { return nyash_return_i64(c, ((struct sums *)nyash_self(c))->hits); }

static void sums_fini(void *state) { free(((struct sums *)state)->last); }

/* Its writing tells nothing: a flag says whether something has failed so far. */
struct sink {
    int fd;
    bool failed;
};

static int32_t sink_birth(NyashContext *c) {
    struct sink *s = nyash_self(c);
    s->fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return s->fd < 0 ? nyash_error(c, NYASH_E_PLUGIN, "cannot open") : nyash_return_void(c);
}

static int32_t sink_print(NyashContext *c) {
    struct sink *s = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    for (size_t done = 0; done < text.size && !s->failed;) {
        ssize_t n = write(s->fd, text.data + done, text.size - done);
        if (n < 0 && errno == EINTR) continue;
        s->failed = n < 0;
        if (n > 0) done += (size_t)n;
    }
    return nyash_return_void(c);
}

static int32_t sink_failed(NyashContext *c) { return nyash_return_bool(c, ((struct sink *)nyash_self(c))->failed); }

static void sink_fini(void *state) { close(((struct sink *)state)->fd); }

/* Keeps so many notes of errors, of all instances. */
#define NOTES 5000
static pthread_mutex_t notes_lock = PTHREAD_MUTEX_INITIALIZER;
static char *notes[NOTES];
static size_t noted;

static void note(const char *why) {
    char *text = strdup(why);
    pthread_mutex_lock(&notes_lock);
    free(notes[noted % NOTES]);
    notes[noted++ % NOTES] = text;
    pthread_mutex_unlock(&notes_lock);
}

__attribute__((destructor)) static void end_notes(void) {
    for (size_t i = 0; i < NOTES; i++) free(notes[i]);
}

struct slot {
    char *text;
    size_t size;
};

static int32_t slot_set(NyashContext *c) {
    struct slot *s = nyash_self(c);
    NyashText text = nyash_arg_string(c, 0);
    char *copy = malloc(text.size + 1);
    if (copy == NULL) {
        note("a slot was not set, as there was no memory for a copy of its text, which is short most of the time");
        return nyash_error_memory(c);
    }
    if (text.size > 0) memcpy(copy, text.data, text.size);
    free(s->text);
    s->text = copy;
    s->size = text.size;
    return nyash_return_void(c);
}

static int32_t slot_get(NyashContext *c) {
    struct slot *s = nyash_self(c);
    return nyash_return_string(c, s->size == 0 ? "" : s->text, s->size);
}

static void slot_fini(void *state) { free(((struct slot *)state)->text); }

#define TEXT_ARG .args = {NYASH_ARG("text", NYASH_STRING)}
static const NyashMethod source_methods[] = {{.id = 1, .name = "read", .call = source_read, .result = NYASH_I64},
                                             {.id = 2, .name = "repeats", .call = source_repeats, .result = NYASH_I64},
                                             {.id = 3, .name = "state", .call = source_state, .result = NYASH_STRING}};
static const NyashMethod pile_methods[] = {{.id = 1, .name = "add", .call = pile_add, TEXT_ARG},
                                           {.id = 2, .name = "room", .call = pile_room, .result = NYASH_I64},
                                           {.id = 3, .name = "text", .call = pile_text, .result = NYASH_STRING}};
static const NyashMethod sums_methods[] = {{.id = 1, .name = "of", .call = sums_of, TEXT_ARG, .result = NYASH_I64},
                                           {.id = 2, .name = "hits", .call = sums_hits, .result = NYASH_I64}};
static const NyashMethod sink_methods[] = {{.id = 0, .name = "birth", .call = sink_birth},
                                           {.id = 1, .name = "print", .call = sink_print, TEXT_ARG},
                                           {.id = 2, .name = "failed", .call = sink_failed, .result = NYASH_BOOL}};
static const NyashMethod slot_methods[] = {{.id = 1, .name = "set", .call = slot_set, TEXT_ARG},
                                           {.id = 2, .name = "get", .call = slot_get, .result = NYASH_STRING}};

static const NyashBox source = {.name = "Source", .type_id = 721, .state_size = sizeof(struct source), NYASH_METHODS(source_methods)};
static const NyashBox pile = {.name = "Pile", .type_id = 722, .state_size = sizeof(struct pile), .fini = pile_fini, NYASH_METHODS(pile_methods)};
static const NyashBox sums = {.name = "Sums", .type_id = 723, .state_size = sizeof(struct sums), .fini = sums_fini, NYASH_METHODS(sums_methods)};
static const NyashBox sink = {.name = "Sink", .type_id = 724, .state_size = sizeof(struct sink), .fini = sink_fini, NYASH_METHODS(sink_methods)};
static const NyashBox slot = {.name = "Slot", .type_id = 725, .state_size = sizeof(struct slot), .fini = slot_fini, NYASH_METHODS(slot_methods)};
NYASH_PLUGIN(&source, &pile, &sums, &sink, &slot)
