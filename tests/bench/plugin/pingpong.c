/* Two processes that hand a word to and fro in shared memory: each looks for a
 * while, then sleeps in a futex. The least that a call into another process costs.
 * Prints the nanoseconds of one round trip. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200000, LOOKS = 2000 };

struct word {
    _Atomic uint32_t turn;
    _Atomic uint32_t asleep[2]; /* who waits for turn 0, and for turn 1 */
};

static void await(struct word *w, uint32_t turn) {
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&w->turn) == turn) return;
        __builtin_ia32_pause();
    }
    while (atomic_load(&w->turn) != turn) {
        atomic_store(&w->asleep[turn], 1);
        syscall(SYS_futex, &w->turn, FUTEX_WAIT, !turn, NULL, NULL, 0);
        atomic_store(&w->asleep[turn], 0);
    }
}

static void hand(struct word *w, uint32_t turn) {
    atomic_store(&w->turn, turn);
    if (atomic_load(&w->asleep[turn])) syscall(SYS_futex, &w->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int main(void) {
    struct word *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            await(w, 1);
            hand(w, 0);
        }
    }
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < ROUNDS; i++) {
        hand(w, 1);
        await(w, 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.1f\n", ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / ROUNDS);
    return 0;
}
