#include "describe.h"
METHODS({1, "run", 0})
DESCRIPTION(900, "Fault", 4294967295u, methods)
