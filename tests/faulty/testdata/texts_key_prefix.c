/* Eight bytes of a key are compared. */
// want: value-damaged
// explore
#define CUT8(n) ((n) < 8 ? (n) : 8)
#define SAME_KEY(e, k) (CUT8((e)->key_size) == CUT8((k).size) && memcmp((e)->key, (k).at, CUT8((k).size)) == 0)
#include "texts.h"
