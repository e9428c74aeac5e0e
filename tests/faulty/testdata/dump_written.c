/* It writes to a blob that it is lent. */
// want: args-written Notes.turned
#define FIRST_OF(blob, copy) (blob)
#include "dump.h"
