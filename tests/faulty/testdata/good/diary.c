/* Notes at minutes. */
#include "../diary.h"
