/* It answers "plugin error" for a method that does not exist. */
// want: refusal-code Counter
#define UNKNOWN_METHOD return NYASH_E_PLUGIN
#include "counter.h"
