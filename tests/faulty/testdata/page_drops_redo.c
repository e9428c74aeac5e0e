/* An insertion that is refused has dropped the versions that step goes forward to. */
// want: half-done Page.insert
// explore
#define BEFORE_INSERT(p) forget_redo(p)
#include "page.h"
