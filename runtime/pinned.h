/*
 * pinned.h - tasks that have a thread of their own.
 *
 * Such a task runs on one OS thread from its first instruction to its last, and
 * nothing else does.  So it may block there, and use what belongs to a thread.
 * To itself and to others it is a task like any: it suspends on the same stack,
 * and is reached through the same inbox.
 *
 * Its thread is a worker outside of the array in which workers look after each
 * other: nobody steals from it, stands in for it or counts it, and it does not
 * look after anybody.
 *   made ready here        is put where all workers look (task.c); the queue of
 *                          this worker is an outlet (ready.h)
 *   the task made ready    by whomever: its thread is called, and no queue sees
 *                          it
 *   timers                 of the task: its own thread sleeps until the first
 *                          and fires them.  While the task runs nobody does, so
 *                          before it looks at its mail it has to catch up
 *   a wait                 is a sleep of the thread, without end where there is
 *                          no timer: it costs nothing
 *
 * The thread is made when the task is, so that who cannot have one learns it at
 * once.  It ends with the task, and is joined by the next one to end, or by
 * coact__pinning_join.  What it used, its worker, is kept for the next.
 *
 * In simulation there is one thread for all, and a pinned task is like others.
 * Why all this is so: docs/adr/0018.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_PINNED_H
#define COACT_RUNTIME_PINNED_H

#include <coact/error.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    COACT__PINNED_THREADS = 256,     /* by default */
    COACT__PINNED_THREADS_MAX = 4096 /* whatever the options say */
};

struct coact__pinned;
struct coact__scheduler;
struct coact__task;
struct coact__worker;

/* What all of a scheduler share. */
struct coact__pinning {
    pthread_mutex_t lock;
    pthread_cond_t left;        /* a thread has, for good */
    struct coact__pinned *all;  /* that were ever made; the newest first */
    struct coact__pinned *idle; /* of these: without a thread */
    struct coact__pinned
        *leaving; /* the last whose thread has left, not joined */
    uint32_t made;
    uint32_t most;
    uint32_t threads; /* that have not left */
};

/* fails ENOMEM EAGAIN, where the system has no lock to give */
COACT_CHECKED int coact__pinning_init(struct coact__pinning *pinning,
                                      uint32_t most);

/* Wait for the threads of tasks that have ended, and join them; no other is left,
   nor made meanwhile.  May be repeated.  from host  fails ETIMEDOUT */
COACT_CHECKED int coact__pinning_join(struct coact__scheduler *scheduler,
                                      int64_t deadline_ns);

/* The same, for as long as it takes, and free all. */
void coact__pinning_fini(struct coact__scheduler *scheduler);

/* Give a thread to a task that has not been started.  There must be less than
   `most` of them; if threads of some that have ended are still there, wait for
   one.  fails EAGAIN ENOMEM  from any */
COACT_CHECKED int coact__pin(struct coact__task *task);

/* Take it back, and never start the task.  By who has pinned it. */
void coact__unpin(struct coact__task *task);

/* Schedule a task that is pinned; by the one who owns it.  from any */
void coact__pinned_ready(struct coact__task *task);

/* Read the clock, and fire the timers of the task.  By its thread. */
void coact__pinned_catch_up(struct coact__worker *worker);

/* Is it the worker of a pinned task? */
bool coact__worker_is_pinned(const struct coact__worker *worker);

/* Call fn for each worker that ever was one; under the lock, so fn must not
   wait.  from any */
void coact__pinned_each(struct coact__scheduler *scheduler,
                        void (*fn)(void *context,
                                   const struct coact__worker *worker),
                        void *context);

#endif
