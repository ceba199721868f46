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
    struct coact__worker *worker; /* NULL: not a worker, or not now */
    void *attached;               /* what a foreign thread is attached to */
#if COACT_ABORT_ON_MISUSE
    struct coact__held held;
#endif
    void *volatile judged; /* what a handler of SIGSEGV is looking into */
};

struct coact__here *coact__here(void);

/* The C library's errno of this thread, looked up anew. */
int *coact__errno_here(void);

#endif
