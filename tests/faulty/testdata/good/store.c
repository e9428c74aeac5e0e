/* No fault. */
#include "../store.h"
