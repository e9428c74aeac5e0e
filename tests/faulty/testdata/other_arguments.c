/* nyash.toml declares other arguments than a method takes. */
// want: args-type Counter.set
// toml: set = { method_id = 5, args = [ { name = "data", from = "integer", to = "i64" } ], returns = "i64" }

#include "counter.h"
