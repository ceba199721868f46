/*
 * scheduler.h - tasks on cores: workers, their queues, and what they share.
 *
 * A worker is an OS thread that runs one task after another.  It takes from its
 * hand-over slot (the task it has just woken), from its own queue, from the
 * global queue, and from other workers, in that order, with enough exceptions
 * that none of them starves.  When there is nothing, it parks (park.h).
 *
 * A message wakes no worker.  The task that it wakes stays with the worker that
 * woke it, and a parked worker looks now and then whether those that run have
 * more than they can do.  Two actors that talk stay on one core, where talking
 * costs nanoseconds; a wake-up of another core costs the sender microseconds.
 *
 * Driven by a host there are no threads: one worker is run on the host's, as
 * long as coact__scheduler_pump lasts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SCHEDULER_H
#define COACT_RUNTIME_SCHEDULER_H

#include "runtime/blocks.h"
#include "runtime/census.h"
#include "runtime/context.h"
#include "runtime/globalq.h"
#include "runtime/park.h"
#include "runtime/poller.h"
#include "runtime/runq.h"
#include "runtime/stack.h"
#include "runtime/task.h"
#include "runtime/timers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define COACT__WORKER_STACKS 32

/* Stacks come in sizes of 1, 4, 16 and 64 times the runtime's. */
#define COACT__STACK_CLASSES 4

struct coact__worker {
    struct coact__scheduler *scheduler;
    uint32_t index;
    struct coact__context context; /* of the loop, while a task runs */
    struct coact__task *current;
    uint32_t handovers;  /* from the slot, one after another */
    uint32_t until_look; /* dispatches before we look at time and the world */
    uint32_t look_every; /* so that a look costs little, and is never late */
    int64_t looked_ns;
    struct coact__blocks blocks;
    struct coact__stack stacks[COACT__WORKER_STACKS]; /* hot ones, to hand */
    uint32_t stack_count;
    pthread_t thread;

    // Others read and take from here on.
    struct coact__timers timers;
    _Atomic(struct coact__runnable *) next; /* the hand-over slot */
    _Atomic uint64_t dispatches, steals, parks, timers_fired;
    _Atomic uint64_t dispatches_seen; /* when the holder looked last */
    struct coact__parked parked;
    struct coact__runq queue;
};

struct coact__scheduler_options {
    uint32_t workers; /* 0: coact__cores() */
    bool host_driven;
    struct coact__stacks_options stacks; /* of the smallest class */
    void *owner;
    void (*run)(struct coact__task *task);   /* a task's body */
    void (*ended)(struct coact__task *task); /* after its last switch */
    void (*no_stack)(
        struct coact__task *task); /* it never ran, and is ours to end */
    void (*look)(void *owner); /* at each look at the world; must not wait */
};

struct coact__scheduler {
    struct coact__scheduler_options options;
    struct coact__worker *workers;
    uint32_t worker_count;
    struct coact__globalq global;
    struct coact__census census;
    struct coact__parking parking;
    struct coact__poller poller;
    struct coact__stacks *stacks[COACT__STACK_CLASSES];
    struct coact__depot depot;
    struct coact__blocks shared_blocks; /* of threads that are not workers */
    pthread_mutex_t shared_lock;
    _Atomic bool stopping;
};

/* The processors this process may use: affinity, and the cgroup's quota. */
uint32_t coact__cores(void);

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

/* What a worker does until it is told to stop. */
void coact__worker_loop(struct coact__worker *worker);

/* Run what there is, without parking, until `deadline_ns`. */
int64_t coact__worker_run_ready(struct coact__worker *worker,
                                int64_t deadline_ns);

/* Fire timers that are due, whoever's they are, and look at descriptors. */
void coact__worker_look(struct coact__worker *worker);

/* Is there anything in its queue or its slot? */
bool coact__worker_has_queued(struct coact__worker *worker);

/* Does something wait in its slot, and it has not moved since the last look? */
bool coact__worker_is_stuck(const struct coact__worker *worker);

/* By the holder, at each look: has it more queued than it runs? */
bool coact__worker_is_behind(struct coact__worker *worker);

#endif
