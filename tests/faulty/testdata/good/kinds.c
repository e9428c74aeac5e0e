#include "../kinds.h"
