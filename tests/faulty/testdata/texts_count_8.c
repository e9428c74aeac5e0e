/* The count is answered in 8 bits. */
// want: size-wraps Texts.count
#define ANSWERED_COUNT uint8_t
#include "texts.h"
