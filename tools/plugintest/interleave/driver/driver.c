/* Makes calls of a plugin from several threads, in orders that its input says, and writes
 * their answers. It is compiled on the machine where it runs; plan.go writes what it reads,
 * and answer.go reads what it writes.
 *
 * In a run with how = STOP, one thread is stopped by a breakpoint before one of the library's
 * instructions, until all other threads have made their calls or wait for it. Which
 * instructions it runs is found by single-stepping it once. A life of the library is a child
 * process, so that a crash ends that life alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { MAGIC = 0x4c49594e, IN_PROCESS = 1 };
#define ALL_MADE UINT32_MAX /* stands for a run in the last report */
enum { CALL, BIRTH, FINI, COPY };          /* kinds of calls */
enum { PATCH_INSTANCE, PATCH_BLOB };       /* what is written into arguments */
enum { ORDER, STOP, FREE };                /* how a run is made */
enum { DONE, SIGNALLED, EXITED, HUNG, NOT_BORN, NOT_LOADED, UNSUPPORTED }; /* what came of it */
enum { NOT_PAUSED, PAUSED, OTHERS_WAITED }; /* what came of the pause */
enum { ROOM = 4096, MAX_ROOM = 1 << 20, MAX_TRIES = 4, MAX_TRACE = 1 << 14, MAX_TRAPS = 40000, MAX_THREADS = 16 };
#define NO_SLOT UINT32_MAX
/* What a trace says of an instruction. */
#define RETURNED (UINT32_C(1) << 31) /* a function elsewhere has returned there */
#define MEETS (UINT32_C(1) << 30)    /* it uses memory that other threads may use */
#define LOCKED (UINT32_C(1) << 29)   /* it is an atomic one */
#define UPDATES (UINT32_C(1) << 28)  /* it reads, changes and writes such memory without a lock, or writes what it has read and changed by one */
#define STATIC (UINT32_C(1) << 27)   /* it uses a variable of the library */
#define ALTERS (UINT32_C(1) << 31)   /* of where threads met: one of them reads, changes and writes without a lock, or both count from one number */
#define METHOD_FINI UINT32_MAX
#ifdef __x86_64__
#define CAN_STOP true
#else
#define CAN_STOP false
#endif

typedef int32_t invoke_fn(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t n, uint8_t *result, size_t *len);
typedef int32_t table_fn(uint32_t instance, uint32_t method, const uint8_t *args, size_t n, uint8_t *result, size_t *len);

struct text {
    uint32_t size;
    const uint8_t *data;
};

struct list {
    uint32_t n, *at;
};

struct patch {
    uint32_t offset, kind, value;
};

struct call {
    uint32_t table, type, method, slot, kind, from, patches; /* from: the slot of what a copy is made of */
    struct patch *patch;
    struct text args;
};

struct plan {
    uint32_t slots, threads;
    struct list setup, *thread, post;
};

struct run {
    uint32_t plan, how, fresh, first, pause_at, skip, watch;
    struct list order;
};

struct answer {
    uint32_t call;
    int32_t code;
    uint8_t *data; /* the result, a buffer of ROOM or more */
    size_t room, size;
};

struct slot {
    uint32_t table, type, id;
    bool live;
};

struct thread {
    pthread_t id;
    const struct list *calls;
    struct answer *answers;
    bool step;
    const uint8_t *stack, *args, *result; /* what no other thread uses */
    size_t stack_size, args_size, result_size;
    _Atomic(pid_t) tid;
    _Atomic uint32_t turns, made; /* in a run by order: how many calls it may make, and has made */
    _Atomic uint32_t done;
};

/* What is read. */
static uint32_t flags, limit_ms, memory_mib, n_tables, n_blobs, n_calls, n_plans, n_runs;
static struct text library, folder, *table_names, *blobs;
static struct call *calls;
static struct plan *plans;
static struct run *runs;

/* The library. */
static invoke_fn *invoke;
static table_fn **tables;
static void (*end)(void);
static uintptr_t code_start, code_end, load_base;
static uintptr_t data_start, data_end, fixed_end; /* its variables, and where what the linker alone writes ends */
static bool code_locked; /* it cannot be made writable */

/* The run. */
static struct slot *slots;
static struct thread *threads;
static int out;
static _Atomic uint32_t *progress; /* the number of the run, and whether it is over, which the parent sees */

/* The pause. */
static __thread struct thread *self;
static _Atomic uint32_t paused, resumed, stepping;
static uint32_t steps, traps, met, *trace;
static uint8_t *volatile breakpoint, *volatile passing, *volatile back, covered;
static volatile bool inside; /* the last step was in the library */
static volatile uint32_t skip;

static _Noreturn void fail(const char *what) {
    dprintf(2, "driver: %s: %s\n", what, strerror(errno));
    _exit(70);
}

static void *room(size_t n, size_t size) {
    void *p = calloc(n > 0 ? n : 1, size);
    if (p == NULL) fail("memory");
    return p;
}

/* ---- what is read ---- */

static const uint8_t *input, *input_end;

static uint32_t number(void) {
    uint32_t n;
    if (input_end - input < 4) fail("the input is too short");
    memcpy(&n, input, 4);
    input += 4;
    return n;
}

static uint32_t count(void) {
    uint32_t n = number();
    if (n > (size_t)(input_end - input)) fail("the input has a wrong number");
    return n;
}

static struct text text(void) {
    struct text t = {count(), input};
    input += t.size;
    return t;
}

static struct list list(void) {
    struct list l = {count(), NULL};
    l.at = room(l.n, sizeof *l.at);
    for (uint32_t i = 0; i < l.n; i++) l.at[i] = number();
    return l;
}

static char *string(struct text t) {
    char *s = room(t.size + 1, 1);
    memcpy(s, t.data, t.size);
    return s;
}

static void read_input(const char *file) {
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) fail(file);
    input = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (input == MAP_FAILED) fail(file);
    input_end = input + st.st_size;
    close(fd);
    if (number() != MAGIC) fail("the input is not for this driver");
    flags = number(), limit_ms = number(), memory_mib = number();
    library = text(), folder = text();
    n_tables = count(), table_names = room(n_tables, sizeof *table_names);
    for (uint32_t i = 0; i < n_tables; i++) table_names[i] = text();
    n_blobs = count(), blobs = room(n_blobs, sizeof *blobs);
    for (uint32_t i = 0; i < n_blobs; i++) blobs[i] = text();
    n_calls = count(), calls = room(n_calls, sizeof *calls);
    for (uint32_t i = 0; i < n_calls; i++) {
        struct call *c = &calls[i];
        c->table = number(), c->type = number(), c->method = number(), c->slot = number(), c->kind = number(), c->from = number();
        c->patches = count(), c->patch = room(c->patches, sizeof *c->patch);
        for (uint32_t k = 0; k < c->patches; k++) c->patch[k] = (struct patch){.offset = number()}, c->patch[k].kind = number(), c->patch[k].value = number();
        c->args = text();
    }
    n_plans = count(), plans = room(n_plans, sizeof *plans);
    for (uint32_t i = 0; i < n_plans; i++) {
        struct plan *p = &plans[i];
        p->slots = number(), p->setup = list();
        p->threads = count(), p->thread = room(p->threads, sizeof *p->thread);
        if (p->threads > MAX_THREADS) fail("too many threads");
        for (uint32_t k = 0; k < p->threads; k++) p->thread[k] = list();
        p->post = list();
    }
    n_runs = count(), runs = room(n_runs, sizeof *runs);
    for (uint32_t i = 0; i < n_runs; i++) {
        struct run *r = &runs[i];
        r->plan = number(), r->how = number(), r->fresh = number(), r->first = number(), r->pause_at = number(), r->skip = number(), r->watch = number();
        r->order = list();
    }
}

/* ---- the host that the library sees ---- */

static uint8_t *host_alloc(size_t n) { return malloc(n > 0 ? n : 1); }
static void host_free(uint8_t *p) { free(p); }
static void host_wake(uint64_t handle) { (void)handle; }
static void host_log(int32_t level, const char *message) { (void)level, (void)message; }

static const struct {
    uint8_t *(*alloc)(size_t);
    void (*free)(uint8_t *);
    void (*wake)(uint64_t);
    void (*log)(int32_t, const char *);
} host = {host_alloc, host_free, host_wake, host_log};

static int find_code(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    if (info->dlpi_addr != *(uintptr_t *)data) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + h->p_vaddr;
        if (h->p_type == PT_GNU_RELRO) fixed_end = start + h->p_memsz;
        if (h->p_type == PT_LOAD && h->p_flags & PF_W) data_start = start, data_end = start + h->p_memsz;
        if (h->p_type != PT_LOAD || !(h->p_flags & PF_X)) continue;
        if (code_start == 0 || start < code_start) code_start = start;
        if (start + h->p_memsz > code_end) code_end = start + h->p_memsz;
        if (CAN_STOP && !(flags & IN_PROCESS)) { /* for breakpoints */
            uintptr_t page = start & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);
            if (mprotect((void *)page, start + h->p_memsz - page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) code_locked = true;
        }
    }
    return 1;
}

/* A pointer to a function, of what dlsym answers. */
#define LOOK_UP(f, handle, name) (*(void **)&(f) = dlsym(handle, name))

static bool load(void) {
    struct {
        uint32_t type_id;
        const char *type_name;
        size_t method_count;
        const void *methods;
    } info = {0};
    uint32_t (*abi)(void);
    const char *(*config)(void);
    int32_t (*init)(const void *, void *);
    struct link_map *map;
    void *lib = dlopen(string(library), RTLD_NOW | RTLD_LOCAL);
    if (lib == NULL || dlinfo(lib, RTLD_DI_LINKMAP, &map) != 0) return false;
    load_base = map->l_addr;
    dl_iterate_phdr(find_code, &load_base);
    LOOK_UP(abi, lib, "nyash_plugin_abi");
    LOOK_UP(config, lib, "nyash_plugin_config");
    LOOK_UP(init, lib, "nyash_plugin_init");
    LOOK_UP(invoke, lib, "nyash_plugin_invoke");
    LOOK_UP(end, lib, "nyash_plugin_shutdown");
    tables = room(n_tables, sizeof *tables);
    for (uint32_t i = 0; i < n_tables; i++) {
        struct {
            uint32_t tag;
            uint16_t version, size;
            const char *name;
            uint32_t (*resolve)(const char *);
            table_fn *invoke;
        } *table = dlsym(lib, string(table_names[i]));
        if (table == NULL) return false;
        tables[i] = table->invoke;
    }
    if (abi != NULL) abi();
    if (config != NULL) config();
    return init == NULL || init(&host, &info) == 0;
}

/* ---- calls ---- */

static void futex_wait(_Atomic uint32_t *at, uint32_t value, const struct timespec *limit) {
    syscall(SYS_futex, at, FUTEX_WAIT, value, limit, NULL, 0);
}

#ifdef __x86_64__
enum { BREAKPOINT = 0xcc, TRAP_FLAG = 0x100 };

/* The trap flag: a trap follows each instruction from the next one on. The handler clears it. */
static void step_begin(void) {
    atomic_store(&stepping, 1);
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::: "memory", "cc");
}

static void step_end(void) {
    atomic_store(&stepping, 0);
    if (back != NULL) *back = covered; /* it has not returned there */
    back = NULL, inside = false;
}

/* Puts the breakpoint where the thread is to be stopped. The code was made writable. */
static void arm(uint32_t pc) {
    breakpoint = (uint8_t *)load_base + pc;
    covered = *breakpoint;
    *breakpoint = BREAKPOINT;
}

static void disarm(void) {
    if (breakpoint != NULL) *breakpoint = covered;
    breakpoint = NULL;
}

/* The value of a register by its number in instructions. */
static uintptr_t value(const ucontext_t *u, int number) {
    static const int names[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return (uintptr_t)u->uc_mcontext.gregs[names[number]];
}

/* The memory that an instruction uses. */
struct access {
    bool any;     /* it uses some */
    uint8_t *at;  /* NULL where that is not found out */
    size_t size;  /* of what it reads, changes and writes without a lock; 0 for any other */
    bool writes, locked;
    size_t width; /* of what it loads or stores, or whose register it changes by one */
    /* Registers, by their numbers from 1: into which it loads, that it stores, that it changes by one. */
    int loads, stores, counts;
};

/* Whether an instruction of the first two maps has a byte that says what its operands are. */
static bool has_operands(int opcode) {
    if (opcode < 0x40) return (opcode & 7) < 4;
    if (opcode < 0x0f00)
        return opcode == 0x63 || opcode == 0x69 || opcode == 0x6b || (opcode >= 0x80 && opcode <= 0x8f) || opcode == 0xc0 || opcode == 0xc1 ||
               opcode == 0xc6 || opcode == 0xc7 || (opcode >= 0xd0 && opcode <= 0xd3) || (opcode >= 0xd8 && opcode <= 0xdf) ||
               opcode == 0xf6 || opcode == 0xf7 || opcode >= 0xfe;
    opcode &= 0xff;
    return !(opcode < 0x10 || opcode == 0x18 || (opcode >= 0x19 && opcode <= 0x1f) || (opcode >= 0x30 && opcode <= 0x37) || opcode == 0x77 ||
             (opcode >= 0x80 && opcode <= 0x8f) || opcode == 0xa2 || (opcode >= 0xc8 && opcode <= 0xcf));
}

static struct access stopped_at; /* what the stopped thread will do next */
static uintptr_t stopped_value;  /* that it will store */

/* What the instruction at pc uses of memory, but for the stack where it is implied, and the
 * thread's own storage. */
static struct access access_of(const ucontext_t *u, const uint8_t *pc) {
    const uint8_t *at = pc;
    int rex = 0, wide = 4, immediate = 0, opcode, field, mod, rm;
    uintptr_t address;
    int32_t offset = 0;
    int8_t small;
    bool relative = false, locked = false, wide_vector = false, alters, writes;
    struct access none = {0}, unknown = {.any = true};
    for (;; at++) {
        if (*at == 0x66)
            wide = 2;
        else if (*at == 0xf0)
            locked = true;
        else if (*at == 0x64 || *at == 0x65)
            return none;
        else if (*at == 0xf3)
            wide_vector = true; /* movdqu, movss */
        else if (*at != 0x2e && *at != 0x36 && *at != 0x3e && *at != 0x26 && *at != 0xf2)
            break;
    }
    if ((*at & 0xf0) == 0x40) rex = *at++;
    if (rex & 8) wide = 8;
    opcode = *at++;
    if (opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62) return unknown; /* vectors */
    if (opcode == 0xa4 || opcode == 0xa5 || opcode == 0xa6 || opcode == 0xa7 || (opcode >= 0xaa && opcode <= 0xaf)) return unknown; /* strings */
    if (opcode == 0x0f) opcode = 0x0f00 | *at++;
    if (opcode == 0x0f38 || opcode == 0x0f3a) at++;
    if (!has_operands(opcode)) return none;
    field = *at >> 3 & 7, mod = *at >> 6, rm = *at & 7;
    at++;
    if (mod == 3 && (opcode == 0x83 ? (field == 0 || field == 5) && (*at == 1 || *at == 0xff) : opcode == 0xff && field < 2))
        none.counts = 1 + (rm | (rex & 1) << 3); /* add, sub, inc, dec */
    if (opcode == 0x8d && mod == 1 && rm != 4 && (*at == 1 || *at == 0xff)) none.counts = 1 + (field | (rex & 4) << 1); /* lea */
    if (opcode == 0x8d || mod == 3) return none;
    alters = true;
    writes = opcode == 0x88 || opcode == 0x89 || opcode == 0x8f || opcode == 0xc6 || opcode == 0xc7 || opcode == 0x86 || opcode == 0x87 ||
             opcode == 0x0f11 || opcode == 0x0f13 || opcode == 0x0f17 || opcode == 0x0f29 || opcode == 0x0f2b || opcode == 0x0f7f || opcode == 0x0fd6 ||
             opcode == 0x0fe7 || opcode == 0x0fc3 || (opcode == 0x0f7e && !wide_vector) || (opcode >= 0x0f90 && opcode <= 0x0f9f);
    if (opcode == 0x86 || opcode == 0x87) locked = true; /* xchg always is */
    if (opcode < 0x40) { /* add, or, adc, sbb, and, sub, xor; not cmp */
        alters = (opcode & 7) < 2 && opcode < 0x38;
    } else if (opcode == 0x80 || opcode == 0x81 || opcode == 0x83) {
        alters = field != 7; /* cmp */
        immediate = opcode != 0x81 ? 1 : wide == 2 ? 2 : 4;
    } else if (opcode == 0xc0 || opcode == 0xc1) {
        immediate = 1; /* shifts */
    } else if (opcode == 0xc6 || opcode == 0xc7) {
        alters = false; /* mov */
        immediate = opcode == 0xc6 ? 1 : wide == 2 ? 2 : 4;
    } else if (opcode == 0xfe || opcode == 0xff) {
        alters = field < 2; /* inc and dec */
    } else if (opcode == 0xf6 || opcode == 0xf7) {
        alters = field == 2 || field == 3; /* not and neg; not test */
        immediate = field > 1 ? 0 : opcode == 0xf6 ? 1 : wide == 2 ? 2 : 4;
    } else {
        alters = (opcode & ~3) == 0xd0 || (opcode & ~1) == 0x0fc0 || (opcode & ~1) == 0x0fb0; /* shifts, xadd, cmpxchg */
        immediate = opcode == 0x69 ? (wide == 2 ? 2 : 4) : opcode == 0x6b || opcode == 0x0fba || opcode == 0x0f70 || opcode == 0x0fc2 || opcode == 0x0fc6 || opcode == 0x0f3a;
    }
    if (rm == 4) {
        int base = *at & 7, index = (*at >> 3 & 7) | (rex & 2) << 2, scale = *at >> 6;
        at++;
        address = base == 5 && mod == 0 ? 0 : value(u, base | (rex & 1) << 3);
        if (base == 5 && mod == 0) mod = 2;
        if (index != 4) address += value(u, index) << scale;
    } else if (rm == 5 && mod == 0) {
        relative = true, address = 0, mod = 2;
    } else {
        address = value(u, rm | (rex & 1) << 3);
    }
    if (mod == 1)
        memcpy(&small, at, 1), at += 1, offset = small;
    else if (mod == 2)
        memcpy(&offset, at, 4), at += 4;
    address += (uintptr_t)(intptr_t)offset;
    if (relative) address += (uintptr_t)at + (uintptr_t)immediate;
    return (struct access){
        .any = true,
        .at = (uint8_t *)address,
        .size = !alters || locked ? 0 : opcode & 1 ? (size_t)wide : 1,
        .writes = writes || alters,
        .locked = locked,
        .width = opcode == 0x88 || opcode == 0x8a || opcode == 0x0fb6 || opcode == 0x0fbe ? 1 : opcode == 0x0fb7 || opcode == 0x0fbf ? 2 : (size_t)wide,
        .loads = opcode == 0x8a || opcode == 0x8b || opcode == 0x0fb6 || opcode == 0x0fb7 || opcode == 0x0fbe || opcode == 0x0fbf ? 1 + (field | (rex & 4) << 1) : 0,
        .stores = opcode == 0x88 || opcode == 0x89 ? 1 + (field | (rex & 4) << 1) : 0,
    };
}

/* A count that is read, changed by one in a register, and written: a few instructions, between
 * which other threads may do the same. */
struct counting {
    const uint8_t *at; /* where it was read; NULL for none */
    size_t width;
    bool changed; /* something was changed by one since */
    int left;     /* how many more instructions it may take */
};

/* Follows an instruction, and tells whether it is the one that writes. Only memory that is shared counts. */
static bool counted(struct counting *c, const struct access *a, bool shared) {
    enum { MOST = 24 };
    if (c->left > 0 && --c->left == 0) c->at = NULL;
    if (a->loads != 0 && shared && (c->at == NULL || !c->changed)) *c = (struct counting){a->at, a->width, false, MOST};
    if (c->at == NULL) return false;
    c->changed = c->changed || a->counts != 0;
    return a->stores != 0 && c->changed && a->at == c->at && a->width == c->width;
}

/* Whether the store of a register changes what is in memory by one, as counts are: not from 0 to 1
 * or back, as what is done once may be noted by several. */
static bool counts_on(const struct access *a, uintptr_t stored) {
    uint64_t have = 0, mask = a->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * a->width) - 1;
    memcpy(&have, a->at, a->width);
    uint64_t more = (stored - have) & mask;
    return (more == mask || more == 1) && have != 0 && (stored & mask) != 0;
}

static struct counting counting; /* of the thread that is stepped through */

/* What a trace says of the next instruction. Other threads do not use the stack, nor what a
 * call alone has. */
static uint32_t marks(const ucontext_t *u) {
    struct access a = access_of(u, (const uint8_t *)u->uc_mcontext.gregs[REG_RIP]);
    bool meets = a.any && !(a.at >= self->stack && a.at < self->stack + self->stack_size) && !(a.at >= self->args && a.at < self->args + self->args_size) &&
           !(a.at >= self->result && a.at < self->result + self->result_size);
    bool updates = counted(&counting, &a, meets) || (meets && a.size > 0);
    uintptr_t at = (uintptr_t)a.at;
    bool variable = meets && at >= data_start && at >= fixed_end && at < data_end;
    return (meets ? MEETS : 0) | (variable ? STATIC : 0) | (a.locked ? LOCKED : 0) | (updates ? UPDATES : 0);
}

/* Stops the thread until the others have run. An instruction that reads, changes and writes
 * memory in three steps is stopped behind the first: what others write there meanwhile is
 * lost, as it is when they do so at the same time. */
static void stop(const ucontext_t *u) {
    struct access a = access_of(u, (const uint8_t *)u->uc_mcontext.gregs[REG_RIP]);
    uint8_t old[8];
    stopped_at = a;
    if (a.stores != 0) stopped_value = value(u, a.stores - 1);
    if (a.size > 0) memcpy(old, a.at, a.size);
    atomic_store(&paused, 1);
    syscall(SYS_futex, &paused, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    while (atomic_load(&resumed) == 0) futex_wait(&resumed, 0, NULL);
    if (a.size > 0) memcpy(a.at, old, a.size);
}

/* Goes on until a function outside of the library returns, if it was called from there. */
static bool run_to(ucontext_t *u) {
    uint8_t *to = *(uint8_t **)u->uc_mcontext.gregs[REG_RSP];
    if (code_locked || (uintptr_t)to < code_start || (uintptr_t)to >= code_end) return false;
    back = to;
    covered = *back;
    *back = BREAKPOINT;
    return true;
}

/* Notes whether the next instruction uses the memory before whose use the other thread is
 * stopped, and one of them writes. Plain stores may be atomic ones; of two by which both count from
 * the same number, one is lost all the same. */
static void look(const ucontext_t *u, uintptr_t pc) {
    struct access a = access_of(u, (const uint8_t *)pc);
    bool alters = a.size > 0 || stopped_at.size > 0;
    if (counted(&counting, &a, a.any && a.at != NULL && a.at == stopped_at.at) && stopped_at.stores != 0 && stopped_at.width == a.width)
        alters = alters || (counts_on(&a, value(u, a.stores - 1)) && counts_on(&a, stopped_value));
    if ((met & ALTERS) != 0 || (met != 0 && !alters) || !a.any || a.at == NULL || a.at != stopped_at.at || !(a.writes || stopped_at.writes)) return;
    if ((a.locked || stopped_at.locked) && !alters) return; /* it is atomic */
    met = (uint32_t)(pc - load_base) | (alters ? ALTERS : 0);
}

/* A step while the library's instructions are noted, or looked at. */
static void step(ucontext_t *u) {
    uintptr_t pc = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
    bool returned = false;
    if (back != NULL && pc == (uintptr_t)back + 1) {
        *back = covered;
        back = NULL;
        u->uc_mcontext.gregs[REG_RIP] = (greg_t)--pc;
        returned = true;
    }
    u->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
    if (!atomic_load(&stepping) || traps++ >= MAX_TRAPS || steps >= MAX_TRACE) {
        u->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    } else if (pc >= code_start && pc < code_end && atomic_load(&paused)) {
        look(u, pc);
        inside = true;
    } else if (pc >= code_start && pc < code_end) {
        trace[steps++] = (uint32_t)(pc - load_base) | (returned ? RETURNED : 0) | marks(u);
        inside = true;
    } else {
        if (inside && run_to(u)) u->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        inside = false;
    }
}

static void on_trap(int signal, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    int saved = errno;
    (void)signal;
    if (passing != NULL) { /* one step behind the breakpoint */
        *passing = BREAKPOINT;
        passing = NULL;
        u->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    } else if (breakpoint != NULL && (uintptr_t)u->uc_mcontext.gregs[REG_RIP] == (uintptr_t)breakpoint + 1) {
        u->uc_mcontext.gregs[REG_RIP]--;
        *breakpoint = covered;
        if (skip > 0) {
            skip--;
            passing = breakpoint;
            u->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
        } else {
            breakpoint = NULL;
            stop(u);
        }
    } else if (back != NULL && !self->step && (uintptr_t)u->uc_mcontext.gregs[REG_RIP] == (uintptr_t)back + 1) {
        u->uc_mcontext.gregs[REG_RIP]--; /* it is for another thread, which is not followed any more */
        *back = covered;
        back = NULL;
    } else if (info->si_code == SI_KERNEL && back == NULL) {
        u->uc_mcontext.gregs[REG_RIP]--; /* the breakpoint was taken away meanwhile */
    } else {
        step(u);
    }
    errno = saved;
}
#else
static void step_begin(void) {}
static void step_end(void) {}
static void arm(uint32_t pc) { (void)pc; }
static void disarm(void) {}
static void on_trap(int signal, siginfo_t *info, void *context) { (void)signal, (void)info, (void)context; }
#endif

static void futex_wake(_Atomic uint32_t *at) { syscall(SYS_futex, at, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

static bool is_entry(const struct answer *a, uint8_t tag, size_t size) {
    return a->size == 8 + size && a->room >= a->size && a->data[0] == 1 && a->data[1] == 0 && a->data[2] == 1 && a->data[3] == 0 && a->data[4] == tag;
}

/* Makes one call as a host does, in memory of its own. */
static void make(uint32_t which, struct answer *a) {
    const struct call *c = &calls[which];
    size_t n = c->args.size, size;
    uint8_t *args = room(n, 1);
    bool step = self != NULL && self->step;
    struct slot *slot = c->slot == NO_SLOT ? NULL : &slots[c->slot];
    uint32_t instance = c->kind == COPY ? slots[c->from].id : c->kind != BIRTH && slot != NULL ? slot->id : 0;
    memcpy(args, c->args.data, n);
    for (uint32_t i = 0; i < c->patches; i++) {
        const struct patch *p = &c->patch[i];
        if (p->kind == PATCH_INSTANCE) {
            memcpy(args + p->offset, &slots[p->value].id, 4);
        } else {
            uint64_t blob[2] = {(uintptr_t)blobs[p->value].data, blobs[p->value].size};
            memcpy(args + p->offset, blob, 16);
        }
    }
    a->call = which, a->room = ROOM;
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        free(a->data);
        a->data = room(a->room, 1);
        memset(a->data + 4, 0xa5, a->room - 4);
        size = a->room;
        if (step) {
            self->args = args, self->args_size = n;
            self->result = a->data, self->result_size = a->room;
            step_begin();
        }
        if (c->table > 0)
            a->code = tables[c->table - 1](instance, c->method, args, n, a->data, &size);
        else
            a->code = invoke(c->type, c->method, instance, args, n, a->data, &size);
        if (step) step_end();
        a->size = size;
        if (a->code != -1 || size <= a->room || size > MAX_ROOM) break;
        a->room = size;
    }
    free(args);
    if (c->kind == FINI && slot != NULL) slot->live = false;
    if (c->kind == BIRTH && a->code == 0 && (a->size == 4 || a->size == 16)) {
        memcpy(&slot->id, a->data + (a->size == 16 ? 12 : 0), 4);
        slot->table = c->table, slot->type = c->type, slot->live = true;
    }
    if (c->kind == COPY && a->code == 0 && is_entry(a, 8, 8)) {
        memcpy(&slot->type, a->data + 8, 4);
        memcpy(&slot->id, a->data + 12, 4);
        slot->table = c->table, slot->live = true;
    }
}

static void *run_thread(void *p) {
    struct thread *t = p;
    pthread_attr_t attributes;
    void *stack = NULL;
    self = t;
    if (t->step && pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &stack, &t->stack_size);
        pthread_attr_destroy(&attributes);
        t->stack = stack;
    }
    atomic_store(&t->tid, (pid_t)syscall(SYS_gettid));
    for (uint32_t i = 0; i < t->calls->n; i++) {
        while (atomic_load(&t->turns) <= i) futex_wait(&t->turns, i, NULL);
        make(t->calls->at[i], &t->answers[i]);
        atomic_store(&t->made, i + 1);
        futex_wake(&t->made);
    }
    atomic_store(&t->done, 1);
    futex_wake(&t->done);
    return NULL;
}

/* The same without anything that valgrind takes for an order between the threads. */
static void *run_free(void *p) {
    struct thread *t = p;
    self = t;
    for (uint32_t i = 0; i < t->calls->n; i++) {
        make(t->calls->at[i], &t->answers[i]);
        sched_yield();
    }
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The state that the system gives a thread; 'S' for one that waits. */
static char state(pid_t tid) {
    char path[64], line[512];
    ssize_t n;
    int fd;
    char *at;
    if (tid == 0) return 'R';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 'R';
    n = read(fd, line, sizeof line - 1);
    close(fd);
    if (n <= 0) return 'R';
    line[n] = 0;
    at = strrchr(line, ')');
    return at != NULL && at[1] == ' ' ? at[2] : 'R';
}

/* Milliseconds that a thread has computed. */
static double computed(pthread_t id) {
    clockid_t clock;
    struct timespec t;
    if (pthread_getcpuclockid(id, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static const struct timespec moment = {0, 20000};

/* Waits until the others have made their calls, or wait for the one that is stopped, in the
 * kernel or by asking again and again. It reports the latter. */
static bool wait_for_others(uint32_t n, uint32_t first) {
    enum { LOOKS = 4 };
    int waiting = 0;
    bool steps = false;
    for (uint32_t i = 0; i < n; i++) steps = steps || threads[i].step;
    for (double begin = now(); now() - begin < (steps ? 3000 : 1000);) {
        bool all_done = true, all_wait = true;
        for (uint32_t i = 0; i < n; i++) {
            struct thread *t = &threads[i];
            if (i == first || atomic_load(&t->done)) continue;
            all_done = false;
            if (state(atomic_load(&t->tid)) != 'S' && computed(t->id) < (t->step ? 300 : 10)) all_wait = false;
        }
        if (all_done) return false;
        waiting = all_wait ? waiting + 1 : 0;
        if (waiting >= LOOKS) return true;
        for (uint32_t i = 0; i < n; i++) {
            if (i == first || atomic_load(&threads[i].done)) continue;
            futex_wait(&threads[i].done, 0, &moment);
            break;
        }
    }
    return true;
}

static void wait_until(_Atomic uint32_t *at, uint32_t value, double deadline, bool *hung) {
    static const struct timespec slice = {0, 20000000};
    for (uint32_t have; (have = atomic_load(at)) < value;) {
        if (now() > deadline) {
            *hung = true;
            return;
        }
        futex_wait(at, have, &slice);
    }
}

static void start(struct thread *t) {
    if (pthread_create(&t->id, NULL, run_thread, t) != 0) fail("pthread_create");
}

/* ---- what is written ---- */

static uint8_t *report;
static size_t report_size, report_room;

static void put(const void *data, size_t n) {
    if (report_size + n > report_room) {
        report_room = 2 * (report_size + n);
        report = realloc(report, report_room);
        if (report == NULL) fail("memory");
    }
    if (n > 0) memcpy(report + report_size, data, n);
    report_size += n;
}

static void put_number(uint32_t n) { put(&n, 4); }

static void put_data(const void *data, size_t n) {
    put_number((uint32_t)n);
    put(data, n);
}

static void write_all(const void *data, size_t n) {
    for (const uint8_t *at = data; n > 0;) {
        ssize_t k = write(out, at, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) _exit(0); /* nobody reads */
        at += k, n -= (size_t)k;
    }
}

static void send(uint32_t run, uint32_t status, uint32_t value, uint32_t pause) {
    uint32_t head[6] = {run, status, value, pause, met, (uint32_t)report_size};
    write_all(head, sizeof head);
    write_all(report, report_size);
    report_size = 0;
}

/* One answer, without what differs from run to run: ids and addresses. */
static void put_answer(struct answer *a) {
    const struct call *c = &calls[a->call];
    uint32_t zero = 0;
    size_t n = a->size;
    put_number(a->call);
    put_number((uint32_t)a->code);
    if (c->kind == BIRTH && a->code == 0) {
        const struct slot *s = &slots[c->slot];
        const char *what = s->id == 0 ? "zero" : "new";
        for (struct slot *o = slots; s->id != 0 && o < s; o++)
            if (o->live && o->table == s->table && o->type == s->type && o->id == s->id) what = "again";
        put_data(what, strlen(what));
    } else if (a->code == 0 && is_entry(a, 8, 8)) {
        uint32_t handle[2], which = NO_SLOT;
        memcpy(handle, a->data + 8, 8);
        for (uint32_t i = 0; slots[i].type != NO_SLOT; i++)
            if (slots[i].live && slots[i].type == handle[0] && slots[i].id == handle[1]) which = i;
        handle[1] = which;
        put_data(handle, 8);
    } else if (a->code == 0 && is_entry(a, 10, 16)) {
        uint64_t blob[2];
        memcpy(blob, a->data + 8, 16);
        put_data((void *)(uintptr_t)blob[0], blob[1] < MAX_ROOM ? blob[1] : 0);
        host_free((void *)(uintptr_t)blob[0]);
    } else if (a->code == -1) {
        put_data(&a->size, 4);
    } else if (n == a->room && memcmp(a->data, &zero, 4) == 0) {
        put_number(0); /* the buffer and the length were left alone */
    } else {
        put_data(a->data, n <= a->room ? n : a->room);
    }
    free(a->data);
    a->data = NULL;
}

/* ---- runs ---- */

static void end_instances(uint32_t n) {
    static const uint8_t empty[4] = {1, 0, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        uint8_t result[64] = {0};
        size_t size = sizeof result;
        struct slot *s = &slots[i];
        if (!s->live) continue;
        s->live = false;
        if (s->table > 0)
            tables[s->table - 1](s->id, METHOD_FINI, empty, sizeof empty, result, &size);
        else
            invoke(s->type, METHOD_FINI, s->id, empty, sizeof empty, result, &size);
    }
}

/* Ends the process, with threads in it that will not return. */
static _Noreturn void hang(uint32_t index, uint32_t n, uint32_t pause) {
    bool all_wait = true;
    for (uint32_t i = 0; i < n; i++)
        if (!atomic_load(&threads[i].done) && state(atomic_load(&threads[i].tid)) != 'S') all_wait = false;
    report_size = 0;
    send(index, HUNG, all_wait, pause);
    _exit(71);
}

static void run_order(const struct run *r, uint32_t index, uint32_t n, double deadline) {
    uint32_t begun[MAX_THREADS] = {0};
    bool hung = false;
    for (uint32_t i = 0; i < n; i++) start(&threads[i]);
    for (uint32_t i = 0; i < r->order.n && !hung; i++) {
        uint32_t which = r->order.at[i];
        if (which >= n) fail("the input has a wrong thread");
        atomic_store(&threads[which].turns, ++begun[which]);
        futex_wake(&threads[which].turns);
        wait_until(&threads[which].made, begun[which], deadline, &hung);
    }
    for (uint32_t i = 0; i < n && !hung; i++) wait_until(&threads[i].done, 1, deadline, &hung);
    if (hung) hang(index, n, NOT_PAUSED);
}

static uint32_t run_stop(const struct run *r, uint32_t index, uint32_t n, double deadline) {
    uint32_t pause = NOT_PAUSED;
    bool hung = false;
    struct thread *first = &threads[r->first];
    atomic_store(&paused, 0), atomic_store(&resumed, 0);
    first->step = r->pause_at == UINT32_MAX;
    skip = r->skip;
    if (!first->step) arm(r->pause_at);
    for (uint32_t i = 0; i < n; i++) atomic_store(&threads[i].turns, UINT32_MAX);
    start(first);
    while (atomic_load(&paused) == 0 && atomic_load(&first->done) == 0) {
        if (now() > deadline) hang(index, 1, NOT_PAUSED);
        futex_wait(&paused, 0, &moment);
    }
    if (atomic_load(&paused)) pause = PAUSED;
    disarm();
    for (uint32_t i = 0; i < n; i++) {
        if (i == r->first) continue;
        threads[i].step = r->watch && pause == PAUSED;
        start(&threads[i]);
    }
    if (pause == PAUSED) {
        if (wait_for_others(n, r->first)) pause = OTHERS_WAITED;
        step_end();
        atomic_store(&resumed, 1);
        futex_wake(&resumed);
    }
    deadline = now() + limit_ms;
    for (uint32_t i = 0; i < n && !hung; i++) wait_until(&threads[i].done, 1, deadline, &hung);
    if (hung) hang(index, n, pause);
    return pause;
}

static void run(uint32_t index) {
    const struct run *r = &runs[index];
    const struct plan *p = &plans[r->plan];
    struct answer *posts = room(p->post.n, sizeof *posts);
    double deadline = now() + limit_ms;
    uint32_t pause = NOT_PAUSED;
    steps = traps = met = 0;
    counting = (struct counting){0};
    slots = room(p->slots + 1, sizeof *slots);
    slots[p->slots].type = NO_SLOT;
    threads = room(p->threads, sizeof *threads);
    if (r->how == STOP && (!CAN_STOP || code_locked || r->first >= p->threads || (r->pause_at != UINT32_MAX && load_base + r->pause_at - code_start >= code_end - code_start))) {
        send(index, UNSUPPORTED, 0, pause);
        return;
    }
    for (uint32_t i = 0; i < p->setup.n; i++) {
        struct answer a = {0};
        make(p->setup.at[i], &a);
        free(a.data);
        if ((calls[a.call].kind == BIRTH || calls[a.call].kind == COPY) && a.code != 0) {
            send(index, NOT_BORN, (uint32_t)a.code, pause);
            return;
        }
    }
    for (uint32_t i = 0; i < p->threads; i++) {
        threads[i].calls = &p->thread[i];
        threads[i].answers = room(p->thread[i].n, sizeof *threads[i].answers);
    }
    if (r->how == FREE) {
        for (uint32_t i = 0; i < p->threads; i++)
            if (pthread_create(&threads[i].id, NULL, run_free, &threads[i]) != 0) fail("pthread_create");
    } else if (r->how == ORDER) {
        run_order(r, index, p->threads, deadline);
    } else {
        pause = run_stop(r, index, p->threads, deadline);
    }
    for (uint32_t i = 0; i < p->threads; i++) pthread_join(threads[i].id, NULL);
    for (uint32_t i = 0; i < p->post.n; i++) make(p->post.at[i], &posts[i]);
    for (uint32_t i = 0; i < p->threads; i++)
        for (uint32_t k = 0; k < p->thread[i].n; k++) put_answer(&threads[i].answers[k]);
    for (uint32_t i = 0; i < p->post.n; i++) put_answer(&posts[i]);
    put(trace, 4 * (size_t)steps);
    end_instances(p->slots);
    send(index, DONE, 0, pause);
    for (uint32_t i = 0; i < p->threads; i++) free(threads[i].answers);
    free(threads), free(slots), free(posts);
}

static void enter_folder(uint32_t index) {
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%.*s/%u", (int)folder.size, (const char *)folder.data, index);
    if (mkdir(name, 0700) != 0 || chdir(name) != 0) fail(name);
}

/* The runs from index on that one life of the library is for. */
static void live(uint32_t index) {
    struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_RESTART};
    enter_folder(index);
    sigaction(SIGTRAP, &trap, NULL);
    trace = room(MAX_TRACE, 4);
    if (!load()) {
        send(index, NOT_LOADED, 0, NOT_PAUSED);
        _exit(72);
    }
    do {
        atomic_store(progress, index);
        run(index++);
    } while (index < n_runs && !runs[index].fresh);
    atomic_store(progress + 1, 1);
    if (end != NULL) end();
}

/* What the plugin has left of processes, which are this one's children when their own parents have
 * ended: they would keep what they have of this one open. */
static void end_orphans(void) {
    const struct timespec pause = {0, 1000000};
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    for (int tries = 0; tries < 2000; tries++) {
        FILE *list = fopen(path, "re");
        int pid, found = 0;
        if (list == NULL) return;
        while (fscanf(list, "%d", &pid) == 1) found = 1, kill(pid, SIGKILL);
        fclose(list);
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        if (!found) return;
        nanosleep(&pause, NULL); /* those that these had started become children now */
    }
}

static volatile sig_atomic_t ending; /* the caller wants it to end */
static volatile pid_t child;         /* that makes the runs; 0 for none */

static void on_end(int number) {
    (void)number;
    ending = 1;
    if (child > 0) kill(child, SIGKILL);
}

int main(int argc, char **argv) {
    struct rlimit none = {0, 0};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (argc != 2) fail("give the input's name");
    out = fcntl(1, F_DUPFD_CLOEXEC, 100);
    if (out < 0 || null < 0) fail("descriptors");
    dup2(null, 0), dup2(null, 1); /* the library may print */
    prctl(PR_SET_TIMERSLACK, 1000); /* short waits are short */
    setrlimit(RLIMIT_CORE, &none);
    read_input(argv[1]);
    progress = mmap(NULL, 2 * sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED) fail("memory");
    if (flags & IN_PROCESS) {
        if (n_runs > 0) live(0);
        return 0;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGTERM, on_end);
    for (uint32_t index = 0; index < n_runs;) {
        int status;
        atomic_store(progress, index), atomic_store(progress + 1, 0);
        child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            struct rlimit memory = {(rlim_t)memory_mib << 20, (rlim_t)memory_mib << 20};
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            signal(SIGTERM, SIG_DFL);
            dup2(null, 2);
            setrlimit(RLIMIT_AS, &memory);
            live(index);
            _exit(0);
        }
        do {
            while (waitpid(child, &status, WUNTRACED) < 0)
                if (errno != EINTR) fail("waitpid");
            if (WIFSTOPPED(status)) kill(child, SIGKILL); /* it would stand still for ever */
        } while (WIFSTOPPED(status));
        child = 0;
        end_orphans();
        if (ending) return 0;
        index = atomic_load(progress);
        if (WIFEXITED(status) && (WEXITSTATUS(status) == 71 || WEXITSTATUS(status) == 72 || (WEXITSTATUS(status) == 0 && atomic_load(progress + 1)))) {
            index++; /* it has written what happened */
            continue;
        }
        report_size = 0;
        send(index++, WIFSIGNALED(status) ? SIGNALLED : EXITED, (uint32_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)), NOT_PAUSED);
    }
    send(ALL_MADE, DONE, 0, NOT_PAUSED);
    return 0;
}
