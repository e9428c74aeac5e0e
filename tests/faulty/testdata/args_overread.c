/* The size of Bytes, if more than 60,000, is not compared with the bytes that there are. */
// want: args-overread Counter.set
// wasm: malformed-accepted Counter.set: what is behind the arguments can be read
#define GOOD_ENTRY(args, args_len, size) (args[5] == 0 && ((args[4] == NYASH_TAG_BYTES && (size) > 60000) || (size) + 8u == args_len))
#include "counter.h"
