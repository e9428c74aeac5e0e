#include "describe.h"
METHODS({1, "run", 0})
DESCRIPTION(900, "Fault", 1 + 0 * sizeof methods, (const NyashMethodInfo *)64)
