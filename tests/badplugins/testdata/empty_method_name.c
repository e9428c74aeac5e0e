#include "describe.h"
METHODS({1, "", 0})
DESCRIPTION(900, "Fault", 1, methods)
