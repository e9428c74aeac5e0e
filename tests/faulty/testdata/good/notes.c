/* A box of files without a fault that tells by a flag, as stdio does, that what was written is not there, and
 * does not look at what the system's close says. */
#define FLAGS
#define CLOSED(fd) (close(fd), true)
#include "../notes.h"
