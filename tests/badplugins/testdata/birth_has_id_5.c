#include "describe.h"
METHODS({5, "birth", 0}, {1, "run", 0})
DESCRIPTION(900, "Fault", 2, methods)
