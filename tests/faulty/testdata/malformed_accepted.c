/* The reserved byte and what follows the last entry are not looked at. */
// want: malformed-accepted Counter.add
// want: malformed-accepted Counter.echo
// want: malformed-accepted Counter.set
#define GOOD_ENTRY(args, args_len, size) ((size) + 8u <= args_len)
#include "counter.h"
