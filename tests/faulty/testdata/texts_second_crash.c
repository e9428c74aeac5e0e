/* Shutdown frees a table, and leaves the number that says that there is one. */
// want: second-init-differs Texts.put
// explore
#define STATE        \
    static int *hits; \
    static int tables;
#define ON_PUT(s) (tables == 0 ? (void)(hits = calloc(16, sizeof *hits), tables = 1) : (void)0, hits[(s)->count % 16]++)
#define ON_SHUTDOWN free(hits), hits = NULL
#include "texts.h"
