#include "describe.h"
METHODS({1, "run", 0}, {2, NULL, 0})
DESCRIPTION(900, "Fault", 2, methods)
