#include "describe.h"
METHODS({1, "run", 0}, {1, "walk", 0})
DESCRIPTION(900, "Fault", 2, methods)
