/* A count that takes over what another one has at that moment, and locks one of them at a time, without a fault. */
#include <pthread.h>
#include "nyash.h"

struct count {
    int64_t total;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t total_of(struct count *t) {
    int64_t total;
    pthread_mutex_lock(&lock);
    total = t->total;
    pthread_mutex_unlock(&lock);
    return total;
}

static int32_t more(NyashContext *c, int64_t n) {
    struct count *t = nyash_self(c);
    int64_t total;
    pthread_mutex_lock(&lock);
    if (t->total > INT64_MAX - n) {
        pthread_mutex_unlock(&lock);
        return nyash_error(c, NYASH_E_PLUGIN, "so many cannot be counted");
    }
    total = t->total += n;
    pthread_mutex_unlock(&lock);
    return nyash_return_i64(c, total);
}

static int32_t method_add(NyashContext *c) {
    int64_t n = nyash_arg_i64(c, 0);
    if (n < 0 || n > 1000) return nyash_error_arg(c, 0, "0 to 1,000 at once");
    return more(c, n);
}

static int32_t method_merge(NyashContext *c) { return more(c, total_of(nyash_arg_instance(c, 0))); }

static int32_t method_total(NyashContext *c) { return nyash_return_i64(c, total_of(nyash_self(c))); }

static const NyashMethod methods[] = {
    {.id = 1, .name = "add", .call = method_add, .args = {NYASH_ARG("n", NYASH_I64)}, .result = NYASH_I64, .doc = "Counts 0 to 1,000 more, and answers how many there are."},
    {.id = 2, .name = "merge", .call = method_merge, .args = {NYASH_ARG("other", NYASH_HANDLE)}, .result = NYASH_I64, .doc = "Counts those of another one, too."},
    {.id = 3, .name = "total", .call = method_total, .result = NYASH_I64, .doc = "How many there are."},
};
static const NyashBox box = {.name = "Count", .type_id = 775, .state_size = sizeof(struct count), .flags = NYASH_CONCURRENT, .doc = "A count.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
