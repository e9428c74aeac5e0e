/* A plugin that locks, without a fault. */
#include "../store.h"
