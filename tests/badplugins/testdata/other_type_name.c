#include "describe.h"
METHODS({1, "run", 0})
DESCRIPTION(900, "Default", 1, methods)
