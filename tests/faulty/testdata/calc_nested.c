/* Brackets and signs may be nested as deep as a text is long, and each level takes some of the stack. */
// want: crash Calc.eval
// says: its stack is full: factor, product and sum call one another
// explore
#define TOO_DEEP(depth) false
#include "calc.h"
