/* No fault. */
#include "../texts.h"
