/* It answers what its result buffer held. */
// want: memory-dependent Counter.get
// explore
#define ON_GET return *r.length >= 16 ? reply_i64(r, c->n + r.at[15]) : reply_i64(r, c->n)
#include "counter.h"
