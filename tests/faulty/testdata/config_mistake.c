/* The self-description has a mistake. */
// want: config-invalid
#define CONFIG BOX_TEXT "singleton = 3\n" METHODS_TEXT
#include "counter.h"
