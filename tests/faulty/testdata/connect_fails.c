// want: connect-failed
#define CONNECTED(host) return NYASH_E_VERSION
#include "host.h"
#include "counter.h"
