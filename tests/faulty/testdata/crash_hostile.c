/* A reserved byte that is not 0 crashes it. */
// want: crash Counter.echo
// wasm: malformed-accepted Counter.echo: low addresses can be written to
#define GOOD_ENTRY(args, args_len, size) (args[5] == 0 || args[4] != NYASH_TAG_STRING ? args[5] == 0 && (size) + 8u == args_len : (*nowhere = 1))
#include "counter.h"
