/* nyash.toml gives a method another id. */
// want: method-id Counter.set
// toml: set = { method_id = 15, args = [ { name = "data", from = "bytes", to = "bytes" } ], returns = "i64" }

#include "counter.h"
