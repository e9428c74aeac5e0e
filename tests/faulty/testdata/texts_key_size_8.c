/* The sizes of keys are compared in 8 bits. */
// want: value-damaged
// explore
#define SAME_KEY(e, k) ((uint8_t)(e)->key_size == (uint8_t)(k).size && memcmp((e)->key, (k).at, (uint8_t)(k).size) == 0)
#include "texts.h"
