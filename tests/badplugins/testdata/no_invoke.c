#define OWN_INVOKE
#include "plugin.h"
