/* A handle of another type with the same number is taken. */
// want: type-unchecked Store.merge
#define OTHER(type, id) ((void)(type), look_up(id))
#include "store.h"
