/* It was built for another version. */
// want: abi-version
#define ABI 2
#include "counter.h"
