/* It keeps the pointer to a blob, which only the system reads later: that does not crash. */
// want: memory-kept Draft.save
// explore
// wasm: no module: it uses memfd_create
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "nyash.h"

struct draft {
    const uint8_t *text;
    size_t size;
};

static int32_t method_set(NyashContext *c) {
    struct draft *d = nyash_self(c);
    NyashBytes text = nyash_arg_blob(c, 0);
    d->text = text.data;
    d->size = text.size;
    return NYASH_OK;
}

static int32_t method_save(NyashContext *c) {
    struct draft *d = nyash_self(c);
    int fd = memfd_create("draft", MFD_CLOEXEC);
    ssize_t n;
    if (fd < 0) return nyash_error(c, NYASH_E_PLUGIN, "there is no file");
    n = d->size > 0 ? write(fd, d->text, d->size) : 0;
    close(fd);
    return n < 0 ? nyash_error(c, NYASH_E_PLUGIN, "the draft cannot be written") : nyash_return_i64(c, n);
}

static const NyashMethod methods[] = {
    {.id = 1, .name = "set", .call = method_set, .args = {NYASH_ARG("text", NYASH_BLOB)}},
    {.id = 2, .name = "save", .call = method_save, .result = NYASH_I64},
};
static const NyashBox box = {.name = "Draft", .type_id = 732, .state_size = sizeof(struct draft), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
