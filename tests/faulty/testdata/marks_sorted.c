/* All is sorted for each number that is loaded. */
// want: quadratic-time Marks.load
// explore
#define SORT_EACH 1
#include "marks.h"
