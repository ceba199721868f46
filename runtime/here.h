/*
 * here.h - what the calling thread is to coact.
 *
 * A coroutine may go on running on another thread after any suspension, and a
 * compiler may keep the address of a thread-local across a call.  So there is
 * one function, never inlined, that looks it up anew each time; nobody may keep
 * its result across a suspension.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_HERE_H
#define COACT_RUNTIME_HERE_H

#include "runtime/held.h"

struct coact__worker;

struct coact__here {
    struct coact__worker *worker; /* first; NULL: not a worker, or not now */
    void *attached;               /* what a foreign thread is attached to */
#if COACT_ABORT_ON_MISUSE
    struct coact__held held;
#endif
    void *volatile judged; /* what a handler of SIGSEGV is looking into */
};

struct coact__here *coact__here(void);

/* The worker alone, NULL where there is none.  The hot paths ask each time, so
   where it can be it is two instructions: the assembly is opaque and volatile,
   so its answer is not kept either. */
static inline struct coact__worker *
coact__worker_here(void)
{
#if defined(__x86_64__) && defined(__linux__) && !defined(__ILP32__)
    struct coact__worker *worker;
    __asm__ volatile("movq coact__tls@gottpoff(%%rip), %0\n\t"
                     "movq %%fs:(%0), %0"
                     : "=r"(worker)
                     :
                     : "memory");
    return worker;
#else
    return coact__here()->worker;
#endif
}

/* The C library's errno of this thread, looked up anew. */
int *coact__errno_here(void);

#endif
