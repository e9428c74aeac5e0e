/* A method has the id of fini. */
// want: reserved-id Counter.get
#define DESCRIBE static const NyashMethodInfo methods[] = {{ADD, "add", 0}, {NYASH_METHOD_FINI, "get", 0}};
#include "counter.h"
