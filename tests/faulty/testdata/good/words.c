/* Copies that share words until one of them changes. */
#include "../words.h"
