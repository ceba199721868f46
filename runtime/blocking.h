/*
 * blocking.h - a pool of threads for calls that block.
 *
 * A job is a function with a copy of its argument.  A task begins one, sleeps,
 * and is woken when it is done; or it leaves the job, and then the job ends when
 * it likes, unseen.  The copy is why that is possible: nothing of the task's is
 * in the hands of a thread that nobody can stop.
 *
 * Threads are made when a job finds none idle, up to a maximum; jobs beyond it
 * queue, oldest first.  A thread that has been idle for a second ends, so a pool
 * at rest is a few words.
 *
 * In simulation there are no threads.  The job runs at once, aside, and is done
 * after a delay that the oracle chooses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_BLOCKING_H
#define COACT_RUNTIME_BLOCKING_H

#include "runtime/timers.h"

#include <coact/error.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coact__task;
struct coact__idler;

enum {
    COACT__BLOCKING_THREADS = 64,       /* by default */
    COACT__BLOCKING_THREADS_MAX = 1024, /* whatever the options say */
    COACT__JOB_WHOSE = 64
};

/* The table of who moves it is in blocking.c. */
enum coact__job_state {
    COACT__JOB_QUEUED,   /* no thread has it */
    COACT__JOB_RUNNING,  /* a thread has it, or the delay of a simulated one */
    COACT__JOB_DONE,     /* the result is there, for the task */
    COACT__JOB_ABANDONED /* a thread has it, and nobody waits for it */
};

struct coact__job {
    struct coact__job *older, *newer; /* in the queue, or of those running */
    struct coact__task *task;         /* who waits; type-stable memory */
    void (*fn)(void *arg);
    void (*destroy)(void *arg);   /* what the copy owns; NULL: nothing */
    char whose[COACT__JOB_WHOSE]; /* for the log: the task may be gone */
    int64_t since_ns;             /* when it was begun */
    struct coact__timer delay;    /* in simulation */
    _Atomic uint8_t state;        /* enum coact__job_state */
    size_t bytes;
    _Alignas(max_align_t) unsigned char copy[];
};

struct coact__job_list {
    struct coact__job *oldest, *newest;
    uint32_t count;
};

struct coact__blocking {
    pthread_mutex_t lock; /* for all below but the atomic ones */
    pthread_cond_t quiet; /* a job has ended, or a thread */
    struct coact__job_list queue, running;
    struct coact__idler *idlers; /* who became idle last is first */
    uint32_t threads_most, threads;
    int64_t idle_ns;                                    /* then a thread ends */
    uint64_t numbers[COACT__BLOCKING_THREADS_MAX / 64]; /* in use: names */
    int64_t longest_wait_ns; /* of jobs that have a thread */
    bool is_closing, has_ended;
    pthread_t ended; /* if has_ended: to be joined */
    _Atomic uint64_t done, abandoned;
};

struct coact__blocking_counts {
    uint32_t threads, busy, queued;
    int64_t longest_wait_ns; /* for a thread; of those that wait now, too */
    uint64_t done, abandoned;
};

/* 0: the default. */
void coact__blocking_init(struct coact__blocking *pool, uint32_t threads_most);

/* Wait until no job is left; no new one may come meanwhile.
   fails ETIMEDOUT */
COACT_CHECKED int coact__blocking_await(struct coact__blocking *pool,
                                        int64_t deadline_ns);

/* End and join all threads; there is no job. */
void coact__blocking_fini(struct coact__blocking *pool);

void coact__blocking_count(struct coact__blocking *pool,
                           struct coact__blocking_counts *out);

/* Call `each` for every job that a thread has, under the lock: whose it is, and
   when it was begun. */
void coact__blocking_each(struct coact__blocking *pool,
                          void (*each)(void *context, const char *whose,
                                       int64_t since_ns),
                          void *context);

/* ---- By the task ---- */

/* A job with a copy of the argument, `bytes` of it; NULL: no memory.  Whose it is
   may be written into it before it is begun. */
struct coact__job *coact__job_new(struct coact__task *task,
                                  void (*fn)(void *arg), const void *arg,
                                  size_t bytes, void (*destroy)(void *arg));

/* From here on a thread may run it.  If this fails the job is still ours.
   fails EAGAIN (no thread can be made, and there is none) */
COACT_CHECKED int coact__blocking_begin(struct coact__blocking *pool,
                                        struct coact__job *job);

/* Once true it stays so, and the copy is ours to read. */
bool coact__job_is_done(const struct coact__job *job);

/* Stop waiting: the job is not ours any more, and what its copy owns will be
   destroyed.  False: it is done, and ours. */
bool coact__blocking_leave(struct coact__blocking *pool,
                           struct coact__job *job);

/* Take the result of a job that is done, and free the job. */
void coact__blocking_take(struct coact__blocking *pool, struct coact__job *job,
                          void *arg);

/* Free a job that was never begun; what the argument owns is the caller's. */
void coact__job_free(struct coact__job *job);

#endif
