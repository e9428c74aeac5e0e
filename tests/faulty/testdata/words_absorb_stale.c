/* The length that is kept is not forgotten where words are taken over. */
// want: stale-answer Words.length
// explore
#define ON_ABSORB(w) (void)(w)
#include "words.h"
