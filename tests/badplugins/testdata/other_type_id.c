#include "describe.h"
METHODS({1, "run", 0})
DESCRIPTION(901, "Fault", 1, methods)
