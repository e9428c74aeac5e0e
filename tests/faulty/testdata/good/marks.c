/* Numbers that fill an instance, and a dump of them. */
#include "../marks.h"
