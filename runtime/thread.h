/*
 * thread.h - a thread of ours beside the workers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_THREAD_H
#define COACT_RUNTIME_THREAD_H

#include <coact/error.h>

#include <pthread.h>

/* Start a thread that takes no signals but its own faults: all others are for
   the host's threads, and a fault must find its handler.  Join it.
   fails EAGAIN EPERM */
COACT_CHECKED int coact__thread_start(pthread_t *out, void *(*body)(void *arg),
                                      void *arg);

#endif
