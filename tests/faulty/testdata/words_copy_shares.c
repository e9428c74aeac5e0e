/* A word is written over that copies share. */
// want: instances-mixed
// explore
#define MAY_CHANGE(w) 1
#include "words.h"
