/* A plugin without a fault that gives the ids of instances that have ended to new ones at once, the last first, and that
   keeps a journal until shutdown. */
#include <stdint.h>
#include <stdlib.h>
#define UNUSED 4096
#define JOURNAL 50000

static uint32_t unused[UNUSED], unused_count;

struct entry {
    struct entry *next;
    uint32_t id;
};
static struct entry *journal;
static size_t journal_size;

static void keep(uint32_t id) {
    struct entry *e = journal_size < JOURNAL ? malloc(sizeof *e) : NULL;
    if (e == NULL) return;
    e->id = id;
    e->next = journal;
    journal = e;
    journal_size++;
}

static void forget(void) {
    while (journal != NULL) {
        struct entry *next = journal->next;
        free(journal);
        journal = next;
    }
    journal_size = 0;
    unused_count = 0;
}

#define NEXT_ID() (unused_count > 0 ? unused[--unused_count] : ++last_id)
#define ON_FINI (unused_count < UNUSED ? (void)(unused[unused_count++] = id) : (void)0)
#define ON_POKE keep(c->id)
#define ON_SHUTDOWN forget()
#define CONFIG "[plugins.Counter]\ntype_id = 710\ndoc = 'A number. The first 50,000 pokes are kept until shutdown.'\n" METHODS_TEXT
#include "../counter.h"
