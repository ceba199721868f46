/*
 * scheduler.h - tasks on cores: workers, their queues, and what they share.
 *
 * A worker is an OS thread that runs one task after another.  It takes from its
 * own queue (ready.h), from the global queue, and from other workers, in that
 * order.  A task that waits switches directly to the next one; the worker's own
 * stack, its loop, is for what is rare: a look at the time and the world, a
 * theft, parking (park.h).
 *
 * A message wakes no worker.  The task that it wakes stays with the worker that
 * woke it, and a parked worker looks now and then whether those that run have
 * more than they can do.  Two actors that talk stay on one core, where talking
 * costs nanoseconds; a wake-up of another core costs the sender microseconds.
 *
 * There are more threads than run tasks at a time: one at least is parked and
 * keeps the lookout, and others stand in for workers whose task does not come
 * back (lookout.h).
 *
 * Driven by a host there are no threads: one worker is run on the host's, as
 * long as coact__scheduler_pump lasts.
 *
 * A pinned task has a thread, and a worker, beside all these (pinned.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SCHEDULER_H
#define COACT_RUNTIME_SCHEDULER_H

#include "runtime/blocks.h"
#include "runtime/census.h"
#include "runtime/context.h"
#include "runtime/delays.h"
#include "runtime/globalq.h"
#include "runtime/lookout.h"
#include "runtime/park.h"
#include "runtime/pinned.h"
#include "runtime/poller.h"
#include "runtime/ready.h"
#include "runtime/roles.h"
#include "runtime/stack.h"
#include "runtime/task.h"
#include "runtime/timers.h"
#include "runtime/trial.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define COACT__WORKER_STACKS 32

/* Threads beyond the cores: the lookout, and stand-ins for workers that are
   stuck. */
#define COACT__SPARE_WORKERS 72

/* Stacks come in sizes of 1, 4, 16 and 64 times the runtime's. */
#define COACT__STACK_CLASSES 4

/* How the thread of a worker comes and goes; under the lock of the parking. */
enum coact__thread_state {
    COACT__THREAD_NONE, /* never started, or joined */
    COACT__THREAD_RUNS,
    COACT__THREAD_ENDED /* to be joined */
};

struct coact__worker {
    struct coact__scheduler *scheduler;
    void *table; /* the owner's; of the options */
    uint32_t index;
    uint32_t until_look; /* dispatches before we look at time and the world */
    uint32_t look_every; /* so that a look costs little, and is never late */
    struct coact__task *left; /* switched away from, not settled yet */
    const void *left_to; /* where its wait returns to; NULL: nobody knows */
    int *errno_at;       /* of this thread */
    struct coact__context context; /* of the loop, while a task runs */
    struct coact__blocks blocks;
    struct coact__stack stacks[COACT__WORKER_STACKS]; /* hot ones, to hand */
    uint32_t stack_count;
    struct coact__drowsy drowsy;
    struct coact__trial trial;
    int64_t oldest_due_ns, oldest_overdue_ns; /* when it was so last */
    int64_t charged_ns; /* until when a role was charged for our time */
    int64_t delay_ns;   /* of the last task that ran with a stamp */
    struct coact__histogram *delays; /* one for each role; ours to write.  NULL:
                                        a pinned one, whom no role keeps waiting */
    uint64_t looks;
    uint64_t looked_at; /* at so many dispatches */
    pthread_t thread;
    enum coact__thread_state thread_state;
    struct coact__parked parked;

    // Others read from here on (relaxed: pictures in passing).
    char apart[64];
    _Atomic(struct coact__task *) current;
    _Atomic uint64_t dispatches, sends;
    _Atomic int64_t looked_ns;
    _Atomic uint64_t steals, parks, timers_fired;
    _Atomic uint64_t hibernated, unhibernated;
    _Atomic bool has_drowsy; /* there may be something to sweep for */
    _Atomic int tid;
    // The lookout's; see lookout.c.
    struct coact__sighting {
        uint64_t dispatches; /* when it was seen last */
        int64_t since_ns;    /* as long as it has not moved */
    } sighting;
    struct coact__inquiry inquiry;
    bool is_demoted;         /* under lock: see demote.h */
    int policy_before;       /* under lock */
    _Atomic bool is_stuck;   /* somebody stands in for it */
    bool is_blocked;         /* under lock: it is, and computes nothing */
    _Atomic uint8_t report;  /* written under lock: enum coact__report, of
                                    the run that it is in */
    int64_t report_over_ns;  /* under lock: when that was over, or 0 */
    _Atomic bool is_serving; /* runs a task beside those that are counted */
    struct coact__timers timers;
    struct coact__ready ready;
};

struct coact__scheduler_options {
    uint32_t workers; /* 0: coact__cores() */
    bool host_driven;
    struct coact__stacks_options stacks;  /* of the smallest class */
    const struct coact__role_spec *roles; /* beside the default one */
    uint32_t role_count;
    void *owner;
    void *table; /* what the owner looks up most, for each worker to hold */
    /* A task's body; says what becomes of the task: END, REST or AGAIN. */
    enum coact__after (*run)(struct coact__task *task);
    void (*ended)(struct coact__task *task); /* after its last switch */
    void (*no_stack)(
        struct coact__task *task); /* it never ran, and is ours to end */
    void (*look)(void *owner); /* at each look at the world; must not wait */
    uint32_t stand_ins; /* most threads that compute in the place of others;
                              0: COACT__STAND_INS */
    uint32_t
        pinned_threads;    /* most of pinned tasks; 0: COACT__PINNED_THREADS */
    int64_t hog_ns;        /* 0: COACT__HOG_NS */
    int64_t hog_report_ns; /* 0: COACT__HOG_REPORT_NS */
    /* A task does not come back: on a thread that may wait.  False: it was over
       before there was anything to say. */
    bool (*stuck)(void *owner, const struct coact__stuck_run *run);
    /* It has come back; after every `stuck` that was true. */
    void (*stuck_over)(void *owner, struct coact__worker *worker,
                       int64_t now_ns);
};

struct coact__scheduler {
    struct coact__scheduler_options options;
    struct coact__worker *workers;
    uint32_t worker_count;       /* that run tasks at a time */
    uint32_t worker_slots;       /* that there is room for */
    uint32_t worker_rows;        /* the same with those of pinned tasks, whose
                                    indices come behind */
    _Atomic uint32_t worker_end; /* no higher index was ever started */
    bool is_bias_possible;
    struct coact__globalq global;
    struct coact__census census;
    struct coact__parking parking;
    struct coact__pinning pinning;
    struct coact__trials trials;
    struct coact__roles roles;
    struct coact__histogram *delays; /* of all worker slots, by role */
    struct coact__poller poller;
    struct coact__stacks *stacks[COACT__STACK_CLASSES];
    struct coact__stack reserve; /* of class 0; see worker.c */
    _Atomic bool is_reserve_out;
    struct coact__depot depot;
    struct coact__blocks shared_blocks; /* of threads that are not workers */
    pthread_mutex_t shared_lock;
    _Atomic bool stopping;
};

/* The processors this process may use: affinity, and the cgroup's quota. */
uint32_t coact__cores(void);

/* How many workers there is room for, spare ones and those of pinned tasks
   included; their indices are below that. */
uint32_t coact__scheduler_slots(const struct coact__scheduler_options *options);

COACT_CHECKED int
coact__scheduler_start(struct coact__scheduler *scheduler,
                       const struct coact__scheduler_options *options);

/* End the workers; no task is left.  from host */
void coact__scheduler_stop(struct coact__scheduler *scheduler);

/* Host-driven: run until nothing is ready or the deadline has passed.  How many
   dispatches.  from host */
int64_t coact__scheduler_pump(struct coact__scheduler *scheduler,
                              int64_t deadline_ns);
int64_t coact__scheduler_next_ns(struct coact__scheduler *scheduler);

/* Memory of a message: from the cache of the thread that asks. */
void *coact__scheduler_alloc(struct coact__scheduler *scheduler, size_t bytes,
                             uint8_t *size_class);
void coact__scheduler_free(struct coact__scheduler *scheduler, void *block,
                           uint8_t size_class);

/* ---- Between the files of the scheduler ---- */

/* How many workers have ever been started: those to walk over. */
static inline uint32_t
coact__scheduler_workers(struct coact__scheduler *scheduler)
{
    // Acquire pairs with the release of who started it: a worker as it began.
    return atomic_load_explicit(&scheduler->worker_end, memory_order_acquire);
}

/* The earliest timer of all workers. */
int64_t coact__scheduler_next_timer_ns(struct coact__scheduler *scheduler);

/* What runs on a worker, as itself and others see it. */
static inline struct coact__task *
coact__worker_current(const struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->current, memory_order_relaxed);
}

static inline void
coact__worker_set_current(struct coact__worker *worker,
                          struct coact__task *task)
{
    atomic_store_explicit(&worker->current, task, memory_order_relaxed);
}

/* Fewer shared writes than fetch_add: only this worker's thread writes these
   counters, others read them whenever they like (relaxed). */
static inline void
coact__worker_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
        memory_order_relaxed);
}

/* Take from others what they have more than they run; for the lookout, take
   anything that is queued, and run one task and nothing else. */
bool coact__worker_steal(struct coact__worker *worker);
bool coact__worker_steal_any(struct coact__worker *worker);
void coact__worker_run_alone(struct coact__worker *worker,
                             struct coact__runnable *runnable);

/* Start the thread of a worker that has none.  Under the lock of the parking
   but at the start.  from host or a worker */
COACT_CHECKED int coact__worker_start(struct coact__worker *worker);

/* A worker without a thread, all zero before; its histograms are its maker's to
   set. */
void coact__worker_init(struct coact__worker *worker,
                        struct coact__scheduler *scheduler, uint32_t index);

/* Give back the stacks that it has to hand. */
void coact__worker_give_stacks(struct coact__worker *worker);

/* What a worker does until it is told to stop. */
void coact__worker_loop(struct coact__worker *worker);

/* Run what there is, without parking, until `deadline_ns`. */
int64_t coact__worker_run_ready(struct coact__worker *worker,
                                int64_t deadline_ns);

/* Fire timers that are due, whoever's they are, and look at descriptors. */
void coact__worker_look(struct coact__worker *worker);

/* Is there anything in its queue or its slot? */
static inline bool
coact__worker_has_queued(struct coact__worker *worker)
{
    return coact__ready_length(&worker->ready) > 0 ||
           coact__ready_has_slot(&worker->ready);
}

/* Acquire: who sees it sees what was said to those that are to stop. */
static inline bool
coact__scheduler_is_stopping(struct coact__scheduler *scheduler)
{
    return atomic_load_explicit(&scheduler->stopping, memory_order_acquire);
}

/* ---- Between task.c and worker.c: the dispatch ---- */

/* The task that was switched away from has left its stack: do what it asked
   for.  The first thing to do behind every switch. */
void coact__worker_settle_left(struct coact__worker *worker,
                               struct coact__task *task);
static inline void
coact__worker_settle(struct coact__worker *worker)
{
    struct coact__task *left = worker->left;
    if (left == NULL) {
        return;
    }
    worker->left = NULL;
    left->runnable.rank = COACT__RANK_PROMPT;
    // Most wait for a message that has not come yet.
    if (COACT__UNLIKELY(left->after != COACT__AFTER_LISTEN ||
                        coact__runnable_long_runs(&left->runnable) != 0 ||
                        !coact__inbox_listen_quickly(&left->inbox))) {
        coact__worker_settle_left(worker, left);
    }
}

/* Make a task ready to be switched to: give it a stack if it has none, or what
   was on it if it is hibernated.  False: there is none to be had; the task has
   been ended, or waits for the reserve. */
bool coact__worker_prepare(struct coact__worker *worker,
                           struct coact__task *task);

/* The next task, prepared, if it can be had quickly; NULL: go to the loop. */
static inline struct coact__task *
coact__worker_next(struct coact__worker *worker)
{
    if (--worker->until_look == 0) {
        worker->until_look = 1; // the loop comes here again, and looks
        return NULL;
    }
    struct coact__task *task =
        (struct coact__task *)coact__ready_pop(&worker->ready);
    if (task != NULL && COACT__UNLIKELY(task->context.fcontext == NULL) &&
        !coact__worker_prepare(worker, task)) {
        return NULL;
    }
    return task;
}

/* The last words before a switch to a task. */
static inline void
coact__worker_enter(struct coact__worker *worker, struct coact__task *task)
{
    coact__worker_count(&worker->dispatches, 1);
    coact__worker_set_current(worker, task);
}

/* Say what becomes of a task, and choose whom it switches to.  returns_to is
   where the call that waits will return to, or NULL. */
static inline struct coact__context *
coact__task_leave_for(struct coact__worker *worker, struct coact__task *task,
                      enum coact__after after, const void *returns_to)
{
    task->after = (uint8_t)after;
    worker->left_to = returns_to;
    struct coact__task *next = coact__worker_next(worker);
    worker->left = task;
    if (next == NULL) {
        return &worker->context;
    }
    coact__worker_enter(worker, next);
    return &next->context;
}

/* By the task, on its own stack: leave it, and come back to it, on the worker that
   is returned.  errno belongs to the task. */
static inline struct coact__worker *
coact__task_leave(struct coact__worker *worker, struct coact__task *task,
                  enum coact__after after, const void *returns_to)
{
    int saved = *worker->errno_at;
    struct coact__context *to =
        coact__task_leave_for(worker, task, after, returns_to);
    worker = (struct coact__worker *)coact__context_switch(&task->context, to,
                                                           worker);
    coact__worker_settle(worker);
    *worker->errno_at = saved;
    return worker;
}

/* A task runs again: somebody may want to know how late. */
static inline void
coact__task_note_delay(struct coact__worker *worker, struct coact__task *task)
{
    if (COACT__UNLIKELY(task->runnable.ready_at != 0)) {
        coact__delays_note(worker, task);
    }
}

static inline struct coact__worker *
coact__task_leave_noted(struct coact__worker *worker, struct coact__task *task,
                        enum coact__after after, const void *returns_to)
{
    worker = coact__task_leave(worker, task, after, returns_to);
    coact__task_note_delay(worker, task);
    return worker;
}

#endif
