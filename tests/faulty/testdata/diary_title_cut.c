/* A title is cut inside of a character. */
// want: result-not-utf8 Diary.title
// explore
#define CUT(text, size) (size)
#include "diary.h"
