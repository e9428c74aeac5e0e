/* Two methods have one name. */
// want: duplicate-name Counter.get
#define DESCRIBE static const NyashMethodInfo methods[] = {{ADD, "add", 0}, {GET, "get", 0}, {POKE, "get", 0}};
#include "counter.h"
