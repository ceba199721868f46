/*
 * segv.c - who gets a SIGSEGV.
 *
 * SIGSEGV is not blocked in the handler: a stack that is in ruins may make the
 * walk over it fault, and then the handler is entered once more, sees that, and
 * goes on with the report.  That one begins with the default action, so it never
 * goes round.
 *
 * The handler is the process's, so what it reads is static.  `before` is written
 * once, before the handler is there; the two flags only ever become true, and
 * their release pairs with the handler's acquire: the survey, the name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/segv.h"

#include "actors/crash.h"
#include "actors/life.h"
#include "runtime/altstack.h"
#include "runtime/here.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static bool has_before; /* under the lock */
static atomic_bool contains;
static atomic_bool reports;

/* ---- The handler --------------------------------------------------------- */

/* To whoever was there first, as the kernel would have called him. */
static void
pass_on(int sig, siginfo_t *info, void *context)
{
    bool wants_info = (before.sa_flags & SA_SIGINFO) != 0;
    if (!wants_info &&
        (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)) {
        // A fault cannot be ignored, a signal that was sent can.
        if (before.sa_handler == SIG_DFL || info->si_code > 0) {
            coact__crash_die(sig, info);
        }
        return;
    }
    sigset_t blocked = before.sa_mask;
    if ((before.sa_flags & SA_NODEFER) == 0) {
        sigaddset(&blocked, sig);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, NULL); // until the handler returns
    if (wants_info) {
        before.sa_sigaction(sig, info, context);
    } else {
        before.sa_handler(sig);
    }
}

struct fault {
    const siginfo_t *info;
    ucontext_t *context;
};

static bool
contain(const struct coact__actor *actor, struct fault *fault,
        struct coact__overflow_refusal *refusal)
{
    struct coact__here *here = coact__here();
    if (here->judged != NULL) {
        *fault = *(struct fault *)here->judged; // that one is to be reported
        here->judged = NULL;
        *refusal =
            (struct coact__overflow_refusal){.why = "the stack cannot be read"};
        return false;
    }
    here->judged = fault;
    bool is_contained =
        coact__overflow_contain(actor, fault->info, fault->context, refusal);
    here->judged = NULL;
    return is_contained;
}

static void
on_segv(int sig, siginfo_t *info, void *context)
{
    int saved = *coact__errno_here();
    struct coact__overflow_refusal refusal = {NULL, NULL};
    const struct coact__actor *actor = coact__actor_at_fault();
    struct fault fault = {info, context};
    if (actor != NULL &&
        atomic_load_explicit(&contains, memory_order_acquire) &&
        contain(actor, &fault, &refusal)) {
        return;
    }
    if (atomic_load_explicit(&reports, memory_order_acquire)) {
        signal(sig, SIG_DFL);
        coact__crash_report(sig, fault.info, fault.context, &refusal);
        coact__crash_die(sig, info);
    } else {
        if (refusal.why != NULL) {
            coact__crash_say_refusal(actor, fault.info, fault.context,
                                     &refusal);
        }
        pass_on(sig, info, context);
    }
    *coact__errno_here() = saved;
}

/* ---- Installing ---------------------------------------------------------- */

/* Where we are a part of a plugin, it must not be unloaded any more. */
static void
stay_loaded(void)
{
    Dl_info info;
    if (dladdr(&before, &info) != 0 && info.dli_fname != NULL) {
        (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

static int
install(void)
{
    struct sigaction now;
    if (sigaction(SIGSEGV, NULL, &now) != 0) {
        return -errno;
    }
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_segv) {
        return 0;
    }
    stay_loaded();
    if (!has_before) {
        before = now;
        has_before = true;
    }
    struct sigaction ours = {
        .sa_sigaction = on_segv,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
    };
    sigemptyset(&ours.sa_mask);
    return sigaction(SIGSEGV, &ours, NULL) == 0 ? 0 : -errno;
}

int
coact__segv_report(void)
{
    pthread_mutex_lock(&lock);
    atomic_store_explicit(&reports, true, memory_order_release);
    int rc = install();
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Once: a handler that lies on ours by now may call it, and would be called by
   it if ours went on top. */
static int
contain_from_now_on(void)
{
    pthread_mutex_lock(&lock);
    int rc = 0;
    if (!atomic_load_explicit(&contains, memory_order_relaxed)) {
        rc = coact__overflow_prepare();
        if (rc == 0) {
            rc = install();
        }
        if (rc == 0) {
            atomic_store_explicit(&contains, true, memory_order_release);
        }
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int
coact__segv_contain(struct coact_runtime *runtime)
{
    switch (runtime->options.on_stack_overflow) {
    case COACT_OVERFLOW_ABORT:
        return 0;
    case COACT_OVERFLOW_KILL_ACTOR:
        break;
    default:
        return -EINVAL;
    }
    if (COACT__ASAN || COACT__TSAN) {
        coact__log(runtime, COACT_LOG_WARNING,
                   "a stack overflow ends the process: a sanitizer watches it");
        runtime->options.on_stack_overflow = COACT_OVERFLOW_ABORT;
        return 0;
    }
    // The thread's as long as it lasts, so it is not taken back.
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    return contain_from_now_on();
}
