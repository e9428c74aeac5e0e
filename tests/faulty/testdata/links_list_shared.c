/* Lists are put together in memory that all threads share. */
// want: race Links.list
// threads
#define LIST static char list[MOST * (LONGEST + 1)]
#include "links.h"
