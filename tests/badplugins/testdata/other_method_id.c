#include "describe.h"
METHODS({2, "run", 0})
DESCRIPTION(900, "Fault", 1, methods)
