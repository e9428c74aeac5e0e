/* A number is kept in 32 bits. */
// want: value-damaged Texts.number
// explore
#define NUMBER int32_t
#include "texts.h"
