/* The self-description has a method that does not exist. */
// want: method-unknown Counter.reset
#define CONFIG BOX_TEXT METHODS_TEXT "reset = { method_id = 99, args = [] }\n"
#include "counter.h"
