/* A stack that is put on itself grows while it is read, until it is full. */
// want: half-done Stack.append
// explore
#define ROOM(s, more) true
#define COUNT(other, n) (other)->used
#include "stack.h"
