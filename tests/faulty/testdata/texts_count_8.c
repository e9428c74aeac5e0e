/* The count is answered in 8 bits. */
// want: size-wraps Texts.count
// explore
#define ANSWERED_COUNT uint8_t
#include "texts.h"
