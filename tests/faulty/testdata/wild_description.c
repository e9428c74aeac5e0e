/* A name is no pointer. */
// want: description-invalid
#define DESCRIBE static const NyashMethodInfo methods[] = {{ADD, (const char *)8, 0}};
#include "counter.h"
