/* Of long keys only the first 64 bytes are compared. */
// want: value-damaged
// explore
#define SAME_KEY(e, k) \
    (((e)->key_size == (k).size || ((e)->key_size > 64 && (k).size > 64)) && memcmp((e)->key, (k).at, (k).size < 64 ? (k).size : 64) == 0)
#include "texts.h"
