/* A method recurs for ever. */
// want: crash Counter.poke
// flags: -Wno-infinite-recursion
static int deep(volatile int n) {
    volatile char frame[4096];
    frame[n % 4096] = (char)n;
    return deep(n + 1) + frame[0];
}
#define ON_POKE deep(0)
#include "counter.h"
