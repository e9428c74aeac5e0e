/* No fault: it logs what the host table logs of others. */
#define ON_INIT                                          \
    host->log(NYASH_LOG_ERROR, "host table: anything");  \
    host->log(NYASH_LOG_ERROR, "host table: free(0x10): double free: the block was already given back")
#include "counter.h"
