/* Each label that is answered is kept until the instance ends. */
// want: memory-growth Kinds.labelled
// explore
#define TOLD(k) keep(k)
#define KEEPS struct kept *kept;
#define FORGET(k) forget((k)->kept)
struct kinds;
struct kept;
static void keep(struct kinds *k);
static void forget(struct kept *k);
#include "kinds.h"

struct kept {
    struct kept *next;
    char text[40];
};

static void keep(struct kinds *k) {
    struct kept *one = calloc(1, sizeof *one);
    if (one == NULL) return;
    one->next = k->kept;
    if (k->label != NULL) memcpy(one->text, k->label->name, k->label->size < sizeof one->text ? k->label->size : sizeof one->text);
    k->kept = one;
}

static void forget(struct kept *k) {
    while (k != NULL) {
        struct kept *next = k->next;
        free(k);
        k = next;
    }
}
