#include "describe.h"
METHODS({1, "run", 0})
DESCRIPTION(900, (const char *)0x200000000000, 1, methods)
