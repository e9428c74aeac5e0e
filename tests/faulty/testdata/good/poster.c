/* Copies share a text. */
#include "../poster.h"
