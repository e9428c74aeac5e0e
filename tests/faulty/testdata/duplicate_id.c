/* Two methods have one id. */
// want: duplicate-id Counter.again
#define DESCRIBE static const NyashMethodInfo methods[] = {{ADD, "add", 0}, {GET, "get", 0}, {GET, "again", 0}};
#include "counter.h"
