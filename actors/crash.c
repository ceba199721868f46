/*
 * crash.c - the last words of a process that is about to die of a signal.
 *
 * Everything here runs in a signal handler, in a process whose memory may be
 * wrong: no allocation, no lock, no stdio, one write per line.  What is least
 * likely to fail comes first; a fault in the handler itself ends the process
 * as the first one would have.
 *
 * The handler is the process's, so its few words are static, as are those of
 * segv.c and overflow.c.  They are written once, before the handler is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/crash.h"

#include "actors/life.h"
#include "actors/segv.h"
#include "runtime/altstack.h"
#include "runtime/here.h"

#include <coact/main.h>

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 256
#define FRAMES 48

/* And SIGSEGV, which has others to ask first (segv.c). */
static const int crash_signals[] = {SIGBUS, SIGILL, SIGFPE, SIGABRT};

// Taken once; release pairs with the handlers' acquire: the name.
static atomic_int is_installed;
static char program_name[64];

/* ---- A line without stdio ------------------------------------------------ */

struct line {
    char text[LINE_BYTES];
    size_t bytes;
};

static void
put(struct line *line, const char *text)
{
    while (*text != '\0' && line->bytes < LINE_BYTES - 1) {
        line->text[line->bytes++] = *text++;
    }
}

static void
put_number(struct line *line, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    put(line, base == 16 ? "0x" : "");
    put(line, &digits[at]);
}

static void
say(struct line *line)
{
    line->text[line->bytes++] = '\n';
    // There is nobody left to be told that it failed.
    (void)!write(STDERR_FILENO, line->text, line->bytes);
    line->bytes = 0;
}

/* ---- What there is to say ------------------------------------------------ */

static const char *
name_of(int sig)
{
    const char *name = sigabbrev_np(sig);
    return name != NULL ? name : "?";
}

static bool
has_address(int sig, const siginfo_t *info)
{
    return info->si_code > 0 && sig != SIGABRT;
}

static void
say_signal(int sig, const siginfo_t *info)
{
    struct line line = {.bytes = 0};
    put(&line, program_name);
    put(&line, " (process ");
    put_number(&line, (uint64_t)getpid(), 10);
    put(&line, "): signal ");
    put_number(&line, (uint64_t)sig, 10);
    put(&line, " (SIG");
    put(&line, name_of(sig));
    put(&line, ")");
    if (has_address(sig, info)) {
        put(&line, " at address ");
        put_number(&line, (uintptr_t)info->si_addr, 16);
    } else if (info->si_code <= 0) {
        put(&line, " sent by process ");
        put_number(&line, (uint64_t)info->si_pid, 10);
    }
    say(&line);
}

const struct coact__actor *
coact__actor_at_fault(void)
{
    const struct coact__worker *worker = coact__here()->worker;
    if (worker == NULL || coact__worker_current(worker) == NULL ||
        worker->scheduler->options.run != coact__actor_run) {
        return NULL;
    }
    return (const struct coact__actor *)coact__worker_current(worker);
}

static void
say_overflow(const struct coact__actor *actor, const void *address,
             const ucontext_t *context)
{
    const struct coact__scheduler *scheduler =
        &coact__runtime_of(actor)->scheduler;
    const struct coact__stacks *stacks =
        scheduler->stacks[actor->task.stack_class];
    struct coact__stack stack;
    if (!coact__stacks_owner(stacks, address, &stack)) {
        return;
    }
    struct line line = {.bytes = 0};
    bool is_its_own = stack.low == actor->task.stack.low;
    put(&line, !is_its_own ? "wild access to the guard of a stack, by actor "
               : coact__overflow_is_one(actor, context)
                   ? "stack overflow of actor "
                   : "wild access to the guard of its own stack, by actor ");
    put(&line, coact__label_of(actor));
    put(&line, ", stack ");
    put_number(&line, stack.bytes, 10);
    put(&line, " bytes");
    say(&line);
}

static void
say_actor(const struct coact__actor *actor)
{
    struct line line = {.bytes = 0};
    if (actor == NULL) {
        put(&line, "in no actor's code");
        say(&line);
        return;
    }
    put(&line, "in actor ");
    put(&line, coact__label_of(actor));
    put(&line, " (");
    put_number(&line, coact__number_of(actor), 10);
    put(&line, ".");
    put_number(&line, coact__generation_of(actor), 10);
    put(&line, ", mailbox ");
    put(&line, coact__mailbox_of(actor)->name);
    put(&line, ")");
    say(&line);
}

static void
say_refusal(const struct coact__overflow_refusal *refusal)
{
    struct line line = {.bytes = 0};
    put(&line, "not contained: ");
    put(&line, refusal->why);
    put(&line, refusal->at != NULL ? ", at" : "");
    say(&line);
    if (refusal->at != NULL) {
        backtrace_symbols_fd(&refusal->at, 1, STDERR_FILENO);
    }
}

void
coact__crash_say_refusal(const struct coact__actor *actor,
                         const siginfo_t *info, const ucontext_t *context,
                         const struct coact__overflow_refusal *refusal)
{
    say_overflow(actor, info->si_addr, context);
    say_refusal(refusal);
}

void
coact__crash_report(int sig, const siginfo_t *info, const ucontext_t *context,
                    const struct coact__overflow_refusal *refusal)
{
    // Acquire pairs with the release of the install.
    if (atomic_load_explicit(&is_installed, memory_order_acquire) == 0) {
        return;
    }
    const struct coact__actor *actor = coact__actor_at_fault();
    say_signal(sig, info);
    say_actor(actor);
    if (actor != NULL && has_address(sig, info)) {
        say_overflow(actor, info->si_addr, context);
    }
    if (refusal != NULL && refusal->why != NULL) {
        say_refusal(refusal);
    }
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

void
coact__crash_die(int sig, const siginfo_t *info)
{
    signal(sig, SIG_DFL);
    // A fault happens again when we return; what was sent has to be sent again,
    // and arrives then.
    if (info->si_code <= 0) {
        raise(sig);
    }
}

static void
report(int sig, siginfo_t *info, void *context)
{
    int before = *coact__errno_here();
    // The default is back already (SA_RESETHAND).
    coact__crash_report(sig, info, context, NULL);
    coact__crash_die(sig, info);
    *coact__errno_here() = before;
}

/* All but SIGSEGV. */
static int
install(void)
{
    struct sigaction action = {.sa_sigaction = report,
                               .sa_flags =
                                   SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]);
         i++) {
        if (sigaction(crash_signals[i], &action, NULL) != 0) {
            return -errno;
        }
    }
    return 0;
}

int
coact_install_crash_report(struct coact_runtime *runtime, const char *name)
{
    if (runtime == NULL || name == NULL) {
        return coact__misuse(runtime, -EINVAL, "coact_install_crash_report",
                             "%s is NULL",
                             runtime == NULL ? "runtime" : "name");
    }
    static atomic_flag is_taken = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set_explicit(&is_taken, memory_order_relaxed)) {
        return -EALREADY;
    }
    strncpy(program_name, name, sizeof(program_name) - 1);
    // The first backtrace loads libgcc, which allocates: not in a handler.
    void *frame;
    (void)backtrace(&frame, 1);
    atomic_store_explicit(&is_installed, 1, memory_order_release);
    // The main thread's lasts as long as the process, so it is not taken back.
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    int rc = coact__segv_report();
    return rc == 0 ? install() : rc;
}
