/* Between finding a text and owning it nothing keeps it. */
// want: race Kinds.label
// threads
#include <stdint.h>
#define TAKE(text) (nyash_unlock(&shared.lock), owned(text))
struct entry;
static struct entry *owned(struct entry *e);
#include "kinds.h"

static struct entry *owned(struct entry *e) {
    nyash_lock(&shared.lock);
    e->owners++;
    nyash_unlock(&shared.lock);
    return e;
}
