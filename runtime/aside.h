/*
 * aside.h - a function on a large stack of its own, and as if it were called by
 * a thread that coact does not know.
 *
 * It runs on the calling thread, at once, and may not suspend.  In simulation,
 * where there is one thread, this is how code runs that would otherwise have a
 * thread to itself: an actor's stack is too small for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_ASIDE_H
#define COACT_RUNTIME_ASIDE_H

#include <coact/error.h>

struct coact__scheduler;

/* Call fn(arg) on a stack of the largest size.  Not called if that fails.
   fails ENOMEM EAGAIN */
COACT_CHECKED int coact__aside(struct coact__scheduler *scheduler,
                               void (*fn)(void *arg), void *arg);

#endif
