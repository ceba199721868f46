/*
 * snapshot.c - a question by signal, and its answer in memory that stays.
 *
 * The two sides meet in a cell (snapshot_cell.c), of which there are a few and
 * which are never freed: a taker that has lost patience leaves, and the handler
 * that comes late touches nothing but the cell.
 *
 * A signal is only a nudge.  The handler serves every cell that asks its thread,
 * whatever signal has brought it there: a late one, or a foreign one, does no
 * harm and may do good.  So there is nothing to match, and while one is pending
 * at a thread, none is sent to it: who asks in vain a hundred times a second
 * would use up what the user may queue.
 *
 * Memory orders, by what the pair protects
 *   cells   F1 release -> F2 acquire.  Who sees the count unchanged after a vain
 *           search may sleep until it changes.
 *   handler H1 release -> H2 acquire.  It is in place before one is sent.
 *
 * The handler calls what is safe in one: the unwinder, warmed up beforehand,
 * which with glibc 2.35 and gcc 12 takes no lock, and system calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/snapshot.h"

#include "runtime/context.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/snapshot_cell.h"
#include "runtime/symbols.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define CELLS 4
#define NS_PER_S INT64_C(1000000000)

/* The si_code of our signals; the kernel's own are near zero. */
#define OUR_CODE (-0x636f)

/* The process's, as its handlers are. */
static struct {
    struct coact__snapshot_cell cells[CELLS];
    _Atomic uint32_t freed; /* how often a cell was; a futex of who needs one */
    atomic_int signal;      /* 0: none is installed */
    _Atomic(coact__snapshot_note *) note; /* NULL: there are none */
    struct sigaction previous;
} snapshot;

static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;

COACT__UNSEEN static void
wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL,
                  0);
}

COACT__UNSEEN static void
tell_freed(void)
{
    atomic_fetch_add_explicit(&snapshot.freed, 1, memory_order_release); // F1
    wake(&snapshot.freed);
}

/* ---- In the handler ------------------------------------------------------ */

struct walk {
    struct coact__snapshot_cell *cell;
    uintptr_t pc; /* where the thread was interrupted */
    bool is_there;
};

COACT__UNSEEN static uintptr_t
pc_of(const void *context)
{
    const ucontext_t *interrupted = context;
#if defined(__x86_64__)
    return (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP];
#else
    return (uintptr_t)interrupted->uc_mcontext.pc;
#endif
}

/* The walk begins in the handler itself, whose frames are of no interest. */
COACT__UNSEEN static _Unwind_Reason_Code
note_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    struct coact__snapshot_cell *cell = walk->cell;
    uintptr_t pc = (uintptr_t)_Unwind_GetIP(context);
    walk->is_there = walk->is_there || pc == walk->pc;
    if (!walk->is_there) {
        return _URC_NO_REASON;
    }
    if (pc == 0 || cell->count == COACT__SNAPSHOT_FRAMES) {
        return _URC_END_OF_STACK;
    }
    cell->frames[cell->count++] = (void *)pc;
    return _URC_NO_REASON;
}

COACT__UNSEEN static void
fill(struct coact__snapshot_cell *cell, uintptr_t pc)
{
    coact__snapshot_note *note =
        atomic_load_explicit(&snapshot.note, memory_order_acquire);
    for (int i = 0; i < COACT__SNAPSHOT_NOTES; i++) {
        cell->notes[i] = 0;
    }
    if (note != NULL) {
        note(cell->notes);
    }
    struct walk walk = {.cell = cell, .pc = pc, .is_there = false};
    cell->count = 0;
    if (!coact__context_is_leaving(pc)) {
        (void)_Unwind_Backtrace(note_frame, &walk);
    }
    if (cell->count == 0) {
        // The tables do not lead out of the handler; where it stands is known.
        cell->frames[cell->count++] = (void *)pc;
    }
}

COACT__UNSEEN static void
serve(struct coact__snapshot_cell *cell, pid_t tid, uintptr_t pc)
{
    if (!coact__snapshot_cell_begin(cell, tid)) {
        return;
    }
    fill(cell, pc);
    if (coact__snapshot_cell_finish(cell, tid)) {
        wake(&cell->state);
    } else {
        tell_freed();
    }
}

COACT__UNSEEN static int
set_handler(int sig, const struct sigaction *action, struct sigaction *before)
{
#if COACT__TSAN
    // TSan keeps signals back until a call that it knows, which a thread that
    // computes never makes.  Under this name it does not see us.
    extern int __sigaction(int, const struct sigaction *, struct sigaction *);
    return __sigaction(sig, action, before);
#else
    return sigaction(sig, action, before);
#endif
}

/* What would have happened without us. */
COACT__UNSEEN static void
pass_on(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *previous = &snapshot.previous;
    if ((previous->sa_flags & SA_SIGINFO) != 0) {
        previous->sa_sigaction(sig, info, context);
    } else if (previous->sa_handler == SIG_DFL) {
        // It is blocked here: it comes again when we return, and ends us.
        (void)set_handler(sig, previous, NULL);
        (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), sig, info);
    } else if (previous->sa_handler != SIG_IGN) {
        previous->sa_handler(sig);
    }
}

COACT__UNSEEN static void
on_signal(int sig, siginfo_t *info, void *context)
{
    int before = errno;
    pid_t tid = gettid();
    for (int i = 0; i < CELLS; i++) {
        serve(&snapshot.cells[i], tid, pc_of(context));
    }
    bool is_ours = info->si_code == OUR_CODE && info->si_pid == getpid() &&
                   info->si_value.sival_ptr == &snapshot;
    if (!is_ours) {
        pass_on(sig, info, context);
    }
    errno = before;
}

/* ---- Installing ---------------------------------------------------------- */

static _Unwind_Reason_Code
stop_at_once(struct _Unwind_Context *context, void *arg)
{
    (void)context;
    (void)arg;
    return _URC_END_OF_STACK;
}

static int
install(int sig)
{
    // The first walk of a process sets up tables.
    (void)_Unwind_Backtrace(stop_at_once, NULL);
    if (coact__fails() || set_handler(sig, NULL, &snapshot.previous) != 0) {
        return -EINVAL;
    }
    // What the previous handler wants blocked is blocked when it is called.
    struct sigaction ours = {.sa_sigaction = on_signal,
                             .sa_mask = snapshot.previous.sa_mask,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    if (set_handler(sig, &ours, NULL) != 0) {
        return -EINVAL;
    }
    atomic_store_explicit(&snapshot.signal, sig, memory_order_release); // H1
    return 0;
}

int
coact__snapshot_install(int signal)
{
    if (coact__oracle_is_simulated()) {
        return -ENOTSUP;
    }
    if (signal < SIGRTMIN || signal > SIGRTMAX) {
        return -EINVAL;
    }
    pthread_mutex_lock(&install_lock);
    int now = atomic_load_explicit(&snapshot.signal, memory_order_relaxed);
    int rc = now == 0 ? install(signal) : now == signal ? 0 : -EALREADY;
    pthread_mutex_unlock(&install_lock);
    return rc;
}

void
coact__snapshot_set_note(coact__snapshot_note *note)
{
    // Release pairs with the acquire of the handler.
    atomic_store_explicit(&snapshot.note, note, memory_order_release);
}

void
coact__snapshot_admit(void)
{
    int sig =
        atomic_load_explicit(&snapshot.signal, memory_order_acquire); // H2
    if (sig != 0) {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, sig);
        (void)pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    }
}

/* ---- Taking -------------------------------------------------------------- */

/* Until the word is another, somebody wakes us, or that time.  It may also end
   for no reason. */
static void
wait_on(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns)
{
    struct timespec until = {.tv_sec = deadline_ns / NS_PER_S,
                             .tv_nsec = deadline_ns % NS_PER_S};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, &until,
                  NULL, FUTEX_BITSET_MATCH_ANY);
}

static struct coact__snapshot_cell *
try_claim(pid_t tid)
{
    for (int i = 0; i < CELLS; i++) {
        if (coact__snapshot_cell_ask(&snapshot.cells[i], tid)) {
            return &snapshot.cells[i];
        }
    }
    return NULL;
}

static struct coact__snapshot_cell *
claim(pid_t tid, int64_t deadline_ns)
{
    for (;;) {
        uint32_t freed =
            atomic_load_explicit(&snapshot.freed, memory_order_acquire); // F2
        struct coact__snapshot_cell *cell = try_claim(tid);
        if (cell != NULL || coact__oracle_now_ns() >= deadline_ns) {
            return cell;
        }
        wait_on(&snapshot.freed, freed, deadline_ns);
    }
}

/* True when the frames are there; else the cell is not ours any more. */
static bool
await_frames(struct coact__snapshot_cell *cell, int64_t deadline_ns)
{
    uint32_t state;
    while (!coact__snapshot_cell_is_done(cell, &state)) {
        bool is_free = false;
        if (coact__oracle_now_ns() < deadline_ns) {
            wait_on(&cell->state, state, deadline_ns);
        } else if (coact__snapshot_cell_leave(cell, &is_free)) {
            if (is_free) {
                tell_freed();
            }
            return false;
        }
    }
    return true;
}

/* Does a signal wait at the thread for being unblocked? */
static bool
is_pending(pid_t tid, int sig)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    char line[128];
    unsigned long long pending = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "SigPnd:", 7) == 0) {
            pending = strtoull(line + 7, NULL, 16);
            break;
        }
    }
    fclose(file);
    return (pending >> (sig - 1) & 1) != 0;
}

/* The cell asks already: a signal that is pending now will find it. */
static int
nudge(pid_t tid, int sig)
{
    if (is_pending(tid, sig)) {
        return 0;
    }
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_signo = sig;
    info.si_code = OUR_CODE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = &snapshot;
    if (coact__fails()) {
        return -EAGAIN;
    }
    long rc = syscall(SYS_rt_tgsigqueueinfo, info.si_pid, tid, sig, &info);
    return rc == 0 ? 0 : -errno;
}

static int
collect(struct coact__snapshot_cell *cell, void **frames, int most,
        uint64_t notes[COACT__SNAPSHOT_NOTES])
{
    int count = cell->count < most ? cell->count : most;
    memcpy(frames, cell->frames, (size_t)count * sizeof(*frames));
    memcpy(notes, cell->notes, sizeof(cell->notes));
    coact__snapshot_cell_release(cell);
    tell_freed();
    return count;
}

int
coact__snapshot_take(pid_t tid, void **frames, int most, int64_t timeout_ns)
{
    uint64_t notes[COACT__SNAPSHOT_NOTES];
    return coact__snapshot_take_noted(tid, frames, most, notes, timeout_ns);
}

int
coact__snapshot_take_noted(pid_t tid, void **frames, int most,
                           uint64_t notes[COACT__SNAPSHOT_NOTES],
                           int64_t timeout_ns)
{
    int sig =
        atomic_load_explicit(&snapshot.signal, memory_order_acquire); // H2
    if (sig == 0) {
        return -ENOTSUP;
    }
    if (tid <= 0 || tid > COACT__SNAPSHOT_CELL_TID_MAX || most < 1) {
        return -EINVAL;
    }
    int64_t now = coact__oracle_now_ns();
    int64_t deadline =
        timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
    struct coact__snapshot_cell *cell = claim(tid, deadline);
    if (cell == NULL) {
        return -ETIMEDOUT;
    }
    int rc = nudge(tid, sig);
    // One that could not be sent has its answer now, by another's, or never.
    if (await_frames(cell, rc == 0 ? deadline : INT64_MIN)) {
        return collect(cell, frames, most, notes);
    }
    return rc == 0 ? -ETIMEDOUT : rc;
}

/* ---- Printing ------------------------------------------------------------ */

void
coact__snapshot_print(void *const *frames, int count,
                      coact__snapshot_line *write_line, void *arg)
{
    for (int i = 0; i < count; i++) {
        // A call may be the last instruction of its function, so that where it
        // returns to is in the next one.
        uintptr_t back = i > 0 ? 1 : 0;
        struct coact__symbol symbol;
        coact__symbols_find((uintptr_t)frames[i] - back, &symbol);
        bool is_named = symbol.name[0] != '\0';
        char into[32] = "";
        if (is_named) {
            snprintf(into, sizeof(into), "+0x%" PRIxPTR,
                     symbol.into_name + back);
        }
        char line[288];
        snprintf(line, sizeof(line),
                 "#%-2d 0x%016" PRIxPTR " %s%s (%s+0x%" PRIxPTR ")", i,
                 (uintptr_t)frames[i], is_named ? symbol.name : "?", into,
                 symbol.file[0] != '\0' ? symbol.file : "?",
                 symbol.into_file + back);
        write_line(arg, line);
    }
}
