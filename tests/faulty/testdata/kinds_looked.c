/* It looks for a kind, and then uses one of that name, which it makes where there is none by then. */
// want: race Kinds.open
// threads
#define USE(name) looked_and_used(name)
#include "nyash.h"
static struct entry *looked_and_used(NyashText name);
#include "kinds.h"

static struct entry *looked_and_used(NyashText name) {
    nyash_lock(&shared.lock);
    int is_there = *find(&shared.kinds, name) != NULL;
    nyash_unlock(&shared.lock);
    if (!is_there) return NULL;
    nyash_lock(&shared.lock);
    struct entry **at = find(&shared.kinds, name), *e = *at;
    if (e == NULL && (e = add(at, name)) != NULL) shared.count++;
    if (e != NULL) e->owners++;
    nyash_unlock(&shared.lock);
    return e;
}
