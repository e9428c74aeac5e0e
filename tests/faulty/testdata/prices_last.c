/* The last price that was asked for is kept, and not whose it is: another list that has changed as often has it, too. */
// want: instances-mixed Prices.price
// explore
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#define KNOWN(p, name, price) known((p)->changes, (name).data, (name).size, price)
#define KEEP(p, name, price) keep((p)->changes, (name).data, (name).size, price)

static struct {
    uint64_t changes;
    char name[12];
    size_t size;
    int64_t price;
} last;

static bool known(uint64_t changes, const char *name, size_t size, int64_t *price) {
    *price = last.price;
    return last.size > 0 && last.changes == changes && last.size == size && memcmp(last.name, name, size) == 0;
}

static void keep(uint64_t changes, const char *name, size_t size, int64_t price) {
    memcpy(last.name, name, last.size = size);
    last.changes = changes;
    last.price = price;
}
#include "prices.h"
