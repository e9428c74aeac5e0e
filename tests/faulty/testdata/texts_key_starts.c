/* A key that begins with the one that is asked for is taken for it. */
// want: value-damaged
// explore
#define SAME_KEY(e, k) ((e)->key_size >= (k).size && memcmp((e)->key, (k).at, (k).size) == 0)
#include "texts.h"
