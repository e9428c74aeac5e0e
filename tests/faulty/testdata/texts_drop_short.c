/* It drops the value before it knows that the answer fits; on a new instance there is none. */
// want: short-buffer-side-effect Texts.drop
// explore
#define DROP_FITS(r, e) ((void)(r), true)
#include "texts.h"
