/* A copy has the same accounts, not copies of them. */
// want: instances-mixed
// explore
#define COPY_OF(a) (__atomic_add_fetch(&(a)->owners, 1, __ATOMIC_RELAXED), a)
#include "accounts.h"
