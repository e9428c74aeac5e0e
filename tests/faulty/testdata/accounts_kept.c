/* What was computed for each rate is kept for ever. */
// want: memory-growth Accounts.worth
// may: failure-leak Accounts.worth
// explore
#include <stdint.h>
#include <stdlib.h>
#define KEEPS struct kept *kept;
#define FORGET(b) forget((b)->kept)
#define WORTH(b, rate) worth(b, rate)

struct accounts;
struct kept {
    struct kept *next;
    int64_t rate, sum, worth;
};

static void forget(struct kept *k) {
    while (k != NULL) {
        struct kept *next = k->next;
        free(k);
        k = next;
    }
}
static int64_t worth(struct accounts *b, int64_t rate);
#include "accounts.h"

static int64_t worth(struct accounts *b, int64_t rate) {
    int64_t sum = total(b);
    struct kept *k = b->kept;
    while (k != NULL && (k->rate != rate || k->sum != sum)) k = k->next;
    if (k == NULL && (k = malloc(sizeof *k)) != NULL) {
        *k = (struct kept){b->kept, rate, sum, sum * rate};
        b->kept = k;
    }
    return k != NULL ? k->worth : sum * rate;
}
