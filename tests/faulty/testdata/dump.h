/* A plugin without a fault, with the C SDK: box Notes, type 731, texts by number that are dumped and
 * restored. The files that include this one each define one macro in another way, and so have one
 * fault that a blob shows. */
#include "nyash.h"

#define MOST 2000 /* notes, and bytes of each */

/* What a fault replaces. */
#ifndef FITS /* the size of a note, and what is left */
#define FITS(size, at, end) ((size) <= (end) - (at) && (size) <= MOST)
#endif
#ifndef END_OF /* what is added up of a blob */
#define END_OF(size) (size)
#endif
#ifndef FIRST_OF /* where a blob that is turned round is changed */
#define FIRST_OF(blob, copy) (copy)
#endif
#ifndef ALL_SIZE /* the type that the size of all notes is computed in */
#define ALL_SIZE size_t
#endif
#ifndef TAKE_BACK /* notes that were added before an error */
#define TAKE_BACK(n, to) while ((n)->count > (to)) free((n)->all[--(n)->count].text)
#endif
#ifndef ON_DROP
#define ON_DROP(n) (n)->known = 0
#endif

struct note {
    size_t size;
    char *text;
};

struct notes {
    struct note all[MOST];
    size_t count;
    size_t known; /* 1 more than the bytes of all notes; 0 for unknown */
};

static void forget(struct notes *n) {
    for (size_t i = 0; i < n->count; i++) free(n->all[i].text);
    n->count = n->known = 0;
}

static int32_t add(NyashContext *c, const char *text, size_t size) {
    struct notes *n = nyash_self(c);
    char *copy;
    if (n->count == MOST) return nyash_error(c, NYASH_E_PLUGIN, "there are %d notes already", MOST);
    if (size > MOST || (size > 0 && text[size - 1] == '\0')) return nyash_error(c, NYASH_E_PLUGIN, "no note: it has more than %d bytes, or ends with a NUL", MOST);
    if ((copy = malloc(size + 1)) == NULL) return nyash_error_memory(c);
    if (size > 0) memcpy(copy, text, size);
    n->all[n->count++] = (struct note){size, copy};
    n->known = 0;
    return NYASH_OK;
}

static int32_t method_add(NyashContext *c) {
    NyashText text = nyash_arg_string(c, 0);
    return add(c, text.data, text.size);
}

/* Adds each line of a text, or none of them. */
static int32_t method_add_all(NyashContext *c) {
    NyashText text = nyash_arg_string(c, 0);
    struct notes *n = nyash_self(c);
    size_t before = n->count;
    for (size_t at = 0, end; at < text.size; at = end + 1) {
        int32_t code;
        for (end = at; end < text.size && text.data[end] != '\n';) end++;
        code = end == at ? nyash_error_arg(c, 0, "a line is empty") : add(c, text.data + at, end - at);
        if (code != NYASH_OK) {
            TAKE_BACK(n, before);
            return code;
        }
    }
    return NYASH_OK;
}

static int32_t method_drop(NyashContext *c) {
    struct notes *n = nyash_self(c);
    int64_t at = nyash_arg_i64(c, 0);
    if (at < 0 || (uint64_t)at >= n->count) return nyash_error_arg(c, 0, "there is no such note");
    free(n->all[at].text);
    memmove(&n->all[at], &n->all[at + 1], (n->count - (size_t)at - 1) * sizeof n->all[0]);
    n->count--;
    ON_DROP(n);
    return NYASH_OK;
}

static size_t dumped(const struct notes *n) {
    ALL_SIZE size = 0;
    for (size_t i = 0; i < n->count; i++) size += 4 + n->all[i].size;
    return size;
}

static int32_t method_bytes(NyashContext *c) {
    struct notes *n = nyash_self(c);
    if (n->known == 0) n->known = 1 + dumped(n) - 4 * n->count;
    return nyash_return_i64(c, (int64_t)(n->known - 1));
}

static int32_t method_dump(NyashContext *c) {
    const struct notes *n = nyash_self(c);
    size_t size = dumped(n), at = 0;
    uint8_t *blob = nyash_blob_alloc(size + 1);
    if (blob == NULL) return nyash_error_memory(c);
    for (size_t i = 0; i < n->count; i++) {
        uint32_t length = (uint32_t)n->all[i].size;
        if (at + 4 + length > size) break;
        for (int k = 0; k < 4; k++) blob[at++] = (uint8_t)(length >> 8 * k);
        memcpy(blob + at, n->all[i].text, length);
        at += length;
    }
    return nyash_return_blob_owned(c, blob, at);
}

/* Notes of a dump, which may come from anywhere. */
static int32_t method_restore(NyashContext *c) {
    NyashBytes blob = nyash_arg_blob(c, 0);
    for (int pass = 0; pass < 2; pass++) {
        size_t count = 0;
        for (size_t at = 0; at < blob.size; count++) {
            uint32_t size = 0;
            if (blob.size - at < 4) return nyash_error_arg(c, 0, "no dump");
            for (int k = 0; k < 4; k++) size |= (uint32_t)blob.data[at++] << 8 * k;
            if (!FITS(size, at, blob.size) || count == MOST) return nyash_error_arg(c, 0, "no dump");
            if (size > 0 && blob.data[at + size - 1] == '\0') return nyash_error_arg(c, 0, "a note ends with a NUL");
            if (pass == 1) NYASH_TRY(add(c, (const char *)blob.data + at, size));
            at += size;
        }
        if (pass == 0) forget(nyash_self(c));
    }
    return NYASH_OK;
}

static int32_t method_sum(NyashContext *c) {
    NyashBytes blob = nyash_arg_blob(c, 0);
    uint32_t sum = 0;
    for (size_t i = 0; blob.size > 0 && i < END_OF(blob.size); i++) sum += blob.data[i];
    return nyash_return_i64(c, blob.size == 0 ? 0 : (int64_t)(sum % 2 + 1));
}

static int32_t method_turned(NyashContext *c) {
    NyashBytes blob = nyash_arg_blob(c, 0);
    uint8_t *copy = nyash_blob_alloc(blob.size + 1), *first;
    if (copy == NULL) return nyash_error_memory(c);
    for (size_t i = 0; i < blob.size; i++) copy[i] = blob.data[blob.size - 1 - i];
    first = FIRST_OF((uint8_t *)(uintptr_t)blob.data, copy);
    if (blob.size > 0) first[0] ^= 1;
    return nyash_return_blob_owned(c, copy, blob.size);
}

static void fini(void *state) { forget(state); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("text", NYASH_STRING)}, .doc = "Adds a note."},
    {.id = 2, .name = "drop", .call = method_drop, .args = {NYASH_ARG("index", NYASH_I64)}, .doc = "Drops a note."},
    {.id = 3, .name = "bytes", .call = method_bytes, .result = NYASH_I64, .doc = "How many bytes all notes have."},
    {.id = 4, .name = "dump", .call = method_dump, .result = NYASH_BLOB, .doc = "All notes."},
    {.id = 5, .name = "restore", .call = method_restore, .args = {NYASH_ARG("dump", NYASH_BLOB)}, .doc = "Has the notes be those of a dump."},
    {.id = 6, .name = "sum", .call = method_sum, .args = {NYASH_ARG("data", NYASH_BLOB)}, .result = NYASH_I64, .doc = "Whether the sum of all bytes is even (1) or odd (2)."},
    {.id = 8, .name = "addAll", .call = method_add_all, .args = {NYASH_ARG("lines", NYASH_STRING)}, .doc = "Adds a note for each line."},
    {.id = 7, .name = "turned", .call = method_turned, .args = {NYASH_ARG("data", NYASH_BLOB)}, .result = NYASH_BLOB, .doc = "The bytes in the other order, with the lowest bit of the first changed."},
};
static const NyashBox box = {.name = "Notes", .type_id = 731, .doc = "Texts by number.", .state_size = sizeof(struct notes), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
