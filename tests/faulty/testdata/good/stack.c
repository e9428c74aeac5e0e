/* A stack that goes onto another one whole, or not. */
#include "../stack.h"
