/* Methods that need two names, and money under one of them. */
#include "../accounts.h"
