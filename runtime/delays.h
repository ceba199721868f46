/*
 * delays.h - how late those run who are ready: a histogram for each role.
 *
 * Three things are measured, each between becoming ready and running:
 *   a wait whose deadline came   always, from the deadline on; so with the
 *                                rounding of the timers and with the time that a
 *                                busy worker lets pass before it looks at them
 *   a wake-up                    one after each look of its worker, about every
 *                                20 us of running: the next that is put in its
 *                                queue gets a stamp, which is seen when it runs
 *   a task that has wishes       each of its wake-ups (runnable.h)
 * A clock is read for these only.  For all others it costs one test of a word
 * that is at hand anyway.
 *
 * What is not measured: who is patient (ready.h), for he can be waited for, and
 * who is stolen on his way, from the theft on.  Since a look comes after a time
 * and not after a number of wake-ups, a wake-up in a burst is less likely to be
 * the one than a wake-up alone: what is sampled is the delay at a moment, not
 * the delay of a message.
 *
 * A worker writes its own histograms, anybody reads them all (histogram.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_DELAYS_H
#define COACT_RUNTIME_DELAYS_H

#include "runtime/histogram.h"

#include <stdint.h>

struct coact__scheduler;
struct coact__task;
struct coact__worker;

/* The task, which runs on the worker from now on, has a stamp: note how old it
   is.  from worker */
void coact__delays_note(struct coact__worker *worker, struct coact__task *task);

/* It was woken by its deadline.  from worker */
void coact__delays_note_late(struct coact__worker *worker,
                             struct coact__task *task, int64_t deadline_ns);

/* Add what all workers have noted for a role.  from any */
void coact__delays_add(struct coact__scheduler *scheduler, uint32_t role,
                       struct coact__histogram_snapshot *to);

#endif
