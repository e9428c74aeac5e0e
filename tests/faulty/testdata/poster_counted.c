/* The owners of a text are counted in three steps: two threads that do so at once count one. What other threads
 * see of the plugin otherwise is atomic. */
// want: possible-race Poster.copy
// may: race Poster.copy, possible-race Poster.fini, race Poster.fini
#include <stdatomic.h>
#include <stdint.h>

static atomic_uint most; /* owners that a text has had */

#define OWN(t) own(&(t)->owners)
#define DISOWN(t) disown(&(t)->owners)

static void own(uint32_t *owners) {
    uint32_t n = *owners + 1, had = atomic_load(&most);
    *owners = n;
    while (had < n && !atomic_compare_exchange_weak(&most, &had, n)) {
    }
}

static int disown(uint32_t *owners) {
    uint32_t n = *owners - 1;
    *owners = n;
    return n == 0 || n > 1u << 30;
}
#include "poster.h"
