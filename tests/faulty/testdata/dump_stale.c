/* What all notes have is kept, and not dropped where a note is. */
// want: stale-answer Notes.bytes
// explore
#define ON_DROP(n) (void)0
#include "dump.h"
