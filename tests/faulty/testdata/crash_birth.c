/* Birth crashes. */
// want: crash Counter.birth
#define ON_BIRTH *nowhere = 1
#include "counter.h"
