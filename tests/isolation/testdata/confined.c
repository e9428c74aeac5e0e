/* A plugin that tries the walls of its process. Box Confined, type 721. What it is to
 * do comes as i64 arguments, so that the tests say it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "nyash_plugin.h"

/* As in confine_test.go. */
enum { NOTHING = 1, SYSCALL, BUFFER, SLEEP, FLOOD, TAKE, MALLOC, TOUCH_SHARED, TOUCH_STACKS, BURN, BURN_THREAD, CHILD_ABORTS, HAS_ENV, RUN_ENV, ORPHAN, CHILD };

static const NyashHostVtable *host;
static char buffer[1 << 16];

static void *flood(void *lines) {
    for (long i = 0; i < (long)lines; i++) host->log(NYASH_LOG_INFO, "a line of a flood");
    return NULL;
}

/* Takes MiB from the host until there is none, or n. */
static int64_t take(int64_t n) {
    int64_t mib = 0;
    for (; mib < n; mib++) {
        uint8_t *block = host->alloc(1 << 20);
        if (block == NULL) break;
        memset(block, 1, 1 << 20);
    }
    return mib;
}

static int64_t take_malloc(int64_t n) {
    int64_t mib = 0;
    for (; mib < n; mib++) {
        uint8_t *block = malloc(1 << 20);
        if (block == NULL) break;
        memset(block, 1, 1 << 20);
    }
    return mib;
}

/* Writes to every page of n MiB from the end of the memory that host and worker share. */
static int64_t touch_shared(int64_t n) {
    char line[512];
    unsigned long from, to, end = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (maps == NULL) return -1;
    while (fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "nyash-worker (deleted)") != NULL && sscanf(line, "%lx-%lx", &from, &to) == 2) end = to;
    fclose(maps);
    if (end == 0) return -1;
    for (unsigned long at = end - ((unsigned long)n << 20); at < end; at += 4096) *(volatile char *)at = 1;
    return n;
}

/* Writes to the parts of the threads' stacks that nobody uses, and returns the MiB. */
static int64_t touch_stacks(void) {
    char line[512];
    unsigned long from, to, all[512];
    int n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (maps == NULL) return -1;
    while (fgets(line, sizeof line, maps) != NULL && n < 512)
        if (sscanf(line, "%lx-%lx", &from, &to) == 2 && strstr(line, " rw-p 00000000 00:00 0") != NULL && to - from == 8 << 20) all[n++] = from;
    fclose(maps);
    for (int i = 0; i < n; i++)
        for (unsigned long at = all[i]; at < all[i] + (7 << 20); at += 4096) *(volatile char *)at = 1;
    return n * 7;
}

static int64_t used(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Uses so many milliseconds of this thread's processor time. */
static void burn(int64_t ms) {
    int64_t until = used(CLOCK_THREAD_CPUTIME_ID) + ms;
    while (used(CLOCK_THREAD_CPUTIME_ID) < until) continue;
}

static void *burn_thread(void *ms) {
    burn((long)ms);
    return NULL;
}

static void start(void *(*f)(void *), int64_t arg) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, f, (void *)(long)arg) == 0) pthread_detach(thread);
}

/* The signal by which a child ends that aborts. */
static int64_t child_aborts(void) {
    int status = 0;
    pid_t child = fork();
    if (child < 0) return -errno;
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* What a program that is started finds in its environment. */
static int64_t run_env(void) {
    char line[4096];
    int64_t found = 0;
    FILE *env = popen("env", "r");
    if (env == NULL) return -1;
    while (fgets(line, sizeof line, env) != NULL) found |= strncmp(line, "NYASH_WORKER=", 13) == 0;
    return pclose(env) == 0 ? found : -1;
}

static int64_t child(int leave) {
    pid_t pid = fork();
    if (pid == 0) {
        if (leave) setsid();
        for (;;) pause();
    }
    return pid;
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    info->type_id = 721;
    info->type_name = "Confined";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len,
                            uint8_t *result, size_t *result_len) {
    int64_t a[7] = {0};
    long r;
    (void)type_id, (void)instance;
    for (size_t i = 0; i < 7 && 16 + 12 * i <= args_len; i++) memcpy(&a[i], args + 8 + 12 * i, 8);
    switch (method) {
    case NOTHING:
        return answer_i64(result, result_len, 0);
    case SYSCALL:
        r = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        return answer_i64(result, result_len, r == -1 ? -errno : r);
    case BUFFER:
        return answer_i64(result, result_len, (int64_t)buffer);
    case SLEEP:
        usleep((useconds_t)a[0] * 1000);
        return answer_i64(result, result_len, 0);
    case FLOOD: {
        pthread_t thread;
        if (pthread_create(&thread, NULL, flood, (void *)(long)a[0]) != 0) return answer_i64(result, result_len, -1);
        pthread_join(thread, NULL);
        return answer_i64(result, result_len, a[0]);
    }
    case TAKE:
        return answer_i64(result, result_len, take(a[0]));
    case MALLOC:
        return answer_i64(result, result_len, take_malloc(a[0]));
    case TOUCH_SHARED:
        r = touch_shared(a[0]);
        usleep((useconds_t)a[1] * 1000);
        return answer_i64(result, result_len, r);
    case TOUCH_STACKS:
        r = touch_stacks();
        usleep((useconds_t)a[0] * 1000);
        return answer_i64(result, result_len, r);
    case BURN:
        burn(a[0]);
        return answer_i64(result, result_len, 0);
    case BURN_THREAD:
        start(burn_thread, a[0]);
        return answer_i64(result, result_len, 0);
    case CHILD_ABORTS:
        return answer_i64(result, result_len, child_aborts());
    case HAS_ENV: {
        extern char **environ;
        for (char **e = environ; *e != NULL; e++)
            if (strncmp(*e, "NYASH_WORKER=", 13) == 0) return answer_i64(result, result_len, 1);
        return answer_i64(result, result_len, getenv("NYASH_WORKER") != NULL);
    }
    case RUN_ENV:
        return answer_i64(result, result_len, run_env());
    case ORPHAN:
        return answer_i64(result, result_len, child(1));
    case CHILD:
        return answer_i64(result, result_len, child(0));
    }
    return NYASH_E_INVALID_METHOD;
}

void nyash_plugin_shutdown(void) {}
