#include "describe.h"
METHODS({1, "run", 0}, {2, "run", 0})
DESCRIPTION(900, "Fault", 2, methods)
