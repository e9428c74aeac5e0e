/* It answers to an unknown name that the instance does not exist. */
// want: refusal-code
// explore
#define UNKNOWN NYASH_E_INVALID_HANDLE
#include "accounts.h"
