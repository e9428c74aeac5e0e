/* A result has a tag that there is not. */
// want: result-malformed Counter.echo
#define ECHO_TAG 99
#include "counter.h"
