/*
 * thread.c - a thread of ours beside the workers.
 *
 * A thread inherits the mask of the one that makes it, so the mask is changed
 * around the making: a signal that came in between would find a thread of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/thread.h"

#include "runtime/memory.h"

#include <errno.h>
#include <signal.h>

static void
all_but_faults(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
                                 SIGABRT, SIGTRAP, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(set, faults[i]);
    }
}

int
coact__thread_start(pthread_t *out, void *(*body)(void *arg), void *arg)
{
    sigset_t blocked;
    sigset_t before;
    all_but_faults(&blocked);
    int rc = pthread_sigmask(SIG_SETMASK, &blocked, &before);
    if (rc != 0) {
        return -rc;
    }
    rc = coact__fails() ? EAGAIN : pthread_create(out, NULL, body, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}
