/* With a name one of its links goes, as far as they are counted: a dump says that there are more than it has. */
// want: copy-differs Links.restore
// explore
#define LINKS_OF(n) ((n) > 0)
#include "links.h"
