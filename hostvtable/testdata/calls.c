/* Calls its host through a NyashHostCalls. */
#if defined(__linux__)
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "nyash_plugin.h"

NYASH_EXPORT int32_t call_resolve(const NyashHostCalls *host, const char *box,
                                  const char *method, uint32_t *ids) {
    return host->resolve(box, method, &ids[0], &ids[1]);
}

/* With NULL for what the host has to fill in: bit 0 the type, bit 1 the method. */
NYASH_EXPORT int32_t call_resolve_null(const NyashHostCalls *host, int null) {
    uint32_t ids[2] = {0, 0};
    return host->resolve("A", "b", null & 1 ? NULL : &ids[0], null & 2 ? NULL : &ids[1]);
}

NYASH_EXPORT int32_t call_invoke(const NyashHostCalls *host, uint32_t type,
                                 uint32_t method, const uint8_t *args,
                                 size_t args_len, uint8_t *result,
                                 size_t *result_len) {
    return host->invoke(type, method, 7, args, args_len, result, result_len);
}

static const uint8_t sent[5] = {'h', 'e', 0, 'l', 'o'};

/* Everything in one call that a Go test can compare. */
NYASH_EXPORT int32_t call_known(const NyashHostCalls *host, uint8_t *answer, size_t *length) {
    return host->invoke(0xf1e2d3c4, 0xfffffffd, 0x80000001, sent, sizeof sent, answer, length);
}

/* What the system calls this thread. */
static uint64_t thread_id(void) {
#if defined(__linux__)
    return (uint64_t)syscall(SYS_gettid);
#else
    return (uint64_t)(uintptr_t)pthread_self();
#endif
}

/* Tells the host this thread's id; 0 when the host finds the same. */
NYASH_EXPORT int32_t call_thread(const NyashHostCalls *host) {
    uint64_t id = thread_id();
    size_t length = 0;
    return host->invoke(1, 1, 1, (const uint8_t *)&id, sizeof id, NULL, &length);
}

static void *thread_of_its_own(void *host) {
    return (void *)(intptr_t)call_thread(host);
}

NYASH_EXPORT int32_t call_on_own_thread(const NyashHostCalls *host) {
    pthread_t id;
    void *code;
    if (pthread_create(&id, NULL, thread_of_its_own, (void *)(uintptr_t)host) != 0) return 100;
    if (pthread_join(id, &code) != 0) return 101;
    return (int32_t)(intptr_t)code;
}

/* Threads that live for one call each, a few at a time. */
NYASH_EXPORT int32_t call_on_many_threads(const NyashHostCalls *host, int rounds) {
    enum { AT_ONCE = 4 };
    int32_t bad = 0;
    for (int i = 0; i < rounds; i++) {
        pthread_t ids[AT_ONCE];
        for (int t = 0; t < AT_ONCE; t++)
            if (pthread_create(&ids[t], NULL, thread_of_its_own, (void *)(uintptr_t)host) != 0) return 100;
        for (int t = 0; t < AT_ONCE; t++) {
            void *code;
            if (pthread_join(ids[t], &code) != 0) return 101;
            bad |= (int32_t)(intptr_t)code;
        }
    }
    return bad;
}

typedef struct Job {
    const NyashHostCalls *host;
    uint32_t thread;
    uint32_t rounds;
    int32_t bad;
} Job;

/* The host answers the ids and the arguments, each byte one more. */
static void *work(void *arg) {
    Job *job = arg;
    for (uint32_t i = 0; i < job->rounds; i++) {
        uint8_t args[64], result[96];
        size_t length = sizeof result, size = i % sizeof args;
        memset(args, (int)(job->thread + i), sizeof args);
        uint32_t type = 0, method = 0;
        char box[16] = "Box0";
        box[3] = (char)('0' + job->thread);
        if (job->host->resolve(box, "method", &type, &method) != 0 || type != job->thread || method != 6) job->bad++;
        if (job->host->invoke(job->thread, i, ~i, args, size, result, &length) != 0) job->bad++;
        if (length != size + 12) job->bad++;
        uint32_t ids[3];
        memcpy(ids, result, sizeof ids);
        if (ids[0] != job->thread || ids[1] != i || ids[2] != ~i) job->bad++;
        for (size_t b = 0; b < size; b++)
            if (result[12 + b] != (uint8_t)(args[b] + 1)) job->bad++;
    }
    return NULL;
}

NYASH_EXPORT int32_t call_from_threads(const NyashHostCalls *host, int rounds) {
    enum { THREADS = 8 };
    pthread_t ids[THREADS];
    Job jobs[THREADS];
    int32_t bad = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        jobs[i] = (Job){host, i, (uint32_t)rounds, 0};
        if (pthread_create(&ids[i], NULL, work, &jobs[i]) != 0) return 100;
    }
    for (int i = 0; i < THREADS; i++) {
        if (pthread_join(ids[i], NULL) != 0) return 101;
        bad += jobs[i].bad;
    }
    return bad;
}

/* Asks the host, which calls this again with one less, until nothing is left. */
NYASH_EXPORT int32_t descend(const NyashHostCalls *host, uint32_t left) {
    uint32_t marks[16];
    for (uint32_t i = 0; i < 16; i++) marks[i] = left * 31 + i;
    size_t length = 0;
    int32_t below = left == 0 ? 0 : host->invoke(left, 0, 0, NULL, 0, NULL, &length);
    for (uint32_t i = 0; i < 16; i++)
        if (marks[i] != left * 31 + i) return -1000;
    return below < 0 || left == 0 ? below : below + 1;
}

NYASH_EXPORT int32_t loop(const NyashHostCalls *host, int n) {
    uint8_t args[16] = {1}, result[64];
    int32_t bad = 0;
    for (int i = 0; i < n; i++) {
        size_t length = sizeof result;
        bad |= host->invoke(1, 2, 3, args, sizeof args, result, &length);
    }
    return bad;
}

NYASH_EXPORT void loop_wake(const NyashHostVtable *host, int n) {
    for (int i = 0; i < n; i++) host->wake((uint64_t)i);
}

/* Calls the host with known values in all registers that a function must keep, and
 * returns how many came back changed. kind is 0 for invoke, 1 for resolve, 2 for log. */
NYASH_EXPORT int32_t registers_changed(const NyashHostCalls *host, const NyashHostVtable *vtable, int kind);

#if defined(__x86_64__)
/* Six registers, and the stack pointer's place. The seventh argument goes on the stack. */
__asm__(
    ".text\n"
    "with_known:\n" /* (fn, arguments[7], changed[6]) */
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  push %rdx\n"
    "  sub $16, %rsp\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %r11\n"
    "  mov 48(%r11), %rdi\n  mov %rdi, (%rsp)\n"
    "  mov 0(%r11), %rdi\n  mov 8(%r11), %rsi\n  mov 16(%r11), %rdx\n"
    "  mov 24(%r11), %rcx\n  mov 32(%r11), %r8\n  mov 40(%r11), %r9\n"
    "  movabs $0x1111111111111101, %rbx\n  movabs $0x2222222222222202, %rbp\n"
    "  movabs $0x3333333333333303, %r12\n  movabs $0x4444444444444404, %r13\n"
    "  movabs $0x5555555555555505, %r14\n  movabs $0x6666666666666606, %r15\n"
    "  call *%rax\n"
    "  add $16, %rsp\n"
    "  pop %rdx\n"
    "  mov %rbx, 0(%rdx)\n  mov %rbp, 8(%rdx)\n  mov %r12, 16(%rdx)\n"
    "  mov %r13, 24(%rdx)\n  mov %r14, 32(%rdx)\n  mov %r15, 40(%rdx)\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n");
enum { KEPT = 6 };
static const uint64_t known[KEPT] = {0x1111111111111101, 0x2222222222222202, 0x3333333333333303,
                                     0x4444444444444404, 0x5555555555555505, 0x6666666666666606};
#elif defined(__aarch64__)
/* x19 to x28, and the lower halves of v8 to v15. */
__asm__(
    ".text\n"
    "with_known:\n" /* (fn, arguments[7], changed[18]) */
    "  stp x29, x30, [sp, #-192]!\n  mov x29, sp\n"
    "  stp x19, x20, [sp, #16]\n  stp x21, x22, [sp, #32]\n  stp x23, x24, [sp, #48]\n"
    "  stp x25, x26, [sp, #64]\n  stp x27, x28, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
    "  str x2, [sp, #160]\n"
    "  mov x9, x0\n  mov x10, x1\n"
    "  mov x19, #1901\n  mov x20, #2001\n  mov x21, #2101\n  mov x22, #2201\n  mov x23, #2301\n"
    "  mov x24, #2401\n  mov x25, #2501\n  mov x26, #2601\n  mov x27, #2701\n  mov x28, #2801\n"
    "  mov x11, #801\n  fmov d8, x11\n  mov x11, #901\n  fmov d9, x11\n"
    "  mov x11, #1001\n  fmov d10, x11\n  mov x11, #1101\n  fmov d11, x11\n"
    "  mov x11, #1201\n  fmov d12, x11\n  mov x11, #1301\n  fmov d13, x11\n"
    "  mov x11, #1401\n  fmov d14, x11\n  mov x11, #1501\n  fmov d15, x11\n"
    "  ldp x0, x1, [x10]\n  ldp x2, x3, [x10, #16]\n  ldp x4, x5, [x10, #32]\n  ldr x6, [x10, #48]\n"
    "  blr x9\n"
    "  ldr x2, [sp, #160]\n"
    "  stp x19, x20, [x2]\n  stp x21, x22, [x2, #16]\n  stp x23, x24, [x2, #32]\n"
    "  stp x25, x26, [x2, #48]\n  stp x27, x28, [x2, #64]\n"
    "  stp d8, d9, [x2, #80]\n  stp d10, d11, [x2, #96]\n  stp d12, d13, [x2, #112]\n  stp d14, d15, [x2, #128]\n"
    "  ldp x19, x20, [sp, #16]\n  ldp x21, x22, [sp, #32]\n  ldp x23, x24, [sp, #48]\n"
    "  ldp x25, x26, [sp, #64]\n  ldp x27, x28, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
    "  ldp x29, x30, [sp], #192\n"
    "  ret\n");
enum { KEPT = 18 };
static const uint64_t known[KEPT] = {1901, 2001, 2101, 2201, 2301, 2401, 2501, 2601, 2701,
                                     2801, 801,  901,  1001, 1101, 1201, 1301, 1401, 1501};
#endif

#if defined(__x86_64__) || defined(__aarch64__)
int32_t with_known(void *fn, const uint64_t *arguments, uint64_t *after) __asm__("with_known");

int32_t registers_changed(const NyashHostCalls *host, const NyashHostVtable *vtable, int kind) {
    uint8_t result[16];
    size_t length = sizeof result;
    uint32_t ids[2];
    const uint64_t arguments[3][7] = {
        {1, 2, 3, (uintptr_t)sent, sizeof sent, (uintptr_t)result, (uintptr_t)&length},
        {(uintptr_t)"A", (uintptr_t)"b", (uintptr_t)&ids[0], (uintptr_t)&ids[1], 0, 0, 0},
        {1, (uintptr_t)"text", 0, 0, 0, 0, 0},
    };
    void *const functions[3] = {(void *)(uintptr_t)host->invoke, (void *)(uintptr_t)host->resolve,
                                (void *)(uintptr_t)vtable->log};
    uint64_t after[KEPT];
    int32_t changed = 0;
    int32_t code = with_known(functions[kind], arguments[kind], after);
    if (kind != 2 && code != 0) return 1000 + code;
    for (int i = 0; i < KEPT; i++)
        if (after[i] != known[i]) changed++;
    return changed;
}
#else
/* No registers are known here: many values that live across the calls. */
int32_t registers_changed(const NyashHostCalls *host, const NyashHostVtable *vtable, int kind) {
    volatile uint64_t seed = 3;
    uint64_t v[24];
    uint32_t ids[2];
    size_t length = 0;
    for (uint64_t i = 0; i < 24; i++) v[i] = seed * (i + 1);
    if (kind == 0 && host->invoke(1, 2, 3, sent, sizeof sent, NULL, &length) != 0) return 1000;
    if (kind == 1 && host->resolve("A", "b", &ids[0], &ids[1]) != 0) return 1001;
    if (kind == 2) vtable->log(1, "text");
    int32_t changed = 0;
    for (uint64_t i = 0; i < 24; i++) changed += v[i] != seed * (i + 1);
    return changed;
}
#endif
