/* A variable whose value has the variable is replaced without end. */
// want: crash Vars.expand
// says: its stack is full: expand calls itself
// explore
#define TOO_DEEP(depth) false
#include "vars.h"
