/* Each name that is read from a dump is compared with all before it. */
// want: quadratic-time Prices.load
// explore
#define EARLIER(p) 0
#include "prices.h"
