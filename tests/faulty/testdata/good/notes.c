/* A box of files without a fault that tells by a flag, as stdio does, that what was written is not there, and
 * needs not be told of by close, as it was stored before. */
#define FLAGS
#define CLOSED(fd) (fsync(fd) != 0 ? (close(fd), false) : (close(fd), true))
#include "../notes.h"
