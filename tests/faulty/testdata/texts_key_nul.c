/* Keys are compared up to a NUL. */
// want: value-damaged
// explore
#define SAME_KEY(e, k) ((e)->key_size == (k).size && strncmp((e)->key, (const char *)(k).at, (k).size) == 0)
#include "texts.h"
