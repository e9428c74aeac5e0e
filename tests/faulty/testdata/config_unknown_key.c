/* The self-description has a key that nobody knows. */
// want: config-unknown-key
#define CONFIG BOX_TEXT "colour = 'red'\n" METHODS_TEXT
#include "counter.h"
