/* Expressions, nested not too deep. */
#include "../calc.h"
