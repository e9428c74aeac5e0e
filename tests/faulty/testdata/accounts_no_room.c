/* Whether the host has memory is not asked. */
// want: failure-crash Accounts.names
#define NO_ROOM(blob) ((void)(blob), 0)
#include "accounts.h"
