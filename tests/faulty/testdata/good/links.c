/* Names and links, of which most methods need several: states that the tester has to find. */
#include "../links.h"
