/* nyash.toml declares other types than the self-description. */
// want: types-differ Counter.set
// toml
#define CONFIG BOX_TEXT "[plugins.Counter.methods]\nset = { args = [ { name = 'data', to = 'string' } ], returns = 'i64' }\n"
#include "counter.h"
