/* The first minute of a day that is very far goes over. */
// want: size-wraps Diary.day
// explore
#define NO_DAY(n) false
#include "diary.h"
