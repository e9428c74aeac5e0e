#include "describe.h"
METHODS({1, "ran", 0})
DESCRIPTION(900, "Fault", 1, methods)
