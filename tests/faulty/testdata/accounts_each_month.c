/* Each month is counted for itself, however many there are. */
// want: hang Accounts.charge
// explore
#define ADD_MONTHS(b, months)             \
    for (int64_t m = 0; m < (months); m++) \
        for (size_t i = 0; i < (b)->count; i++) *(volatile int64_t *)&(b)->all[i]->cents -= 1
#include "accounts.h"
