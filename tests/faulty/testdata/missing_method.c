/* nyash.toml has a method that the library has not, and lacks one. */
// want: method-missing Counter.sett
// want: method-undeclared Counter.set
// toml: sett = { args = [ { name = "data", from = "bytes", to = "bytes" } ], returns = "i64" }

#include "counter.h"
