/*
 * worker.c - one task after another.
 *
 * Where the next task comes from, and why in this order:
 *   the hand-over slot   what was woken last: its message is warm.  At most
 *                        HANDOVERS in a row, or a pair that talks would starve
 *                        everybody behind them
 *   our queue            oldest first
 *   the world            the global queue, timers, descriptors; also before our
 *                        queue, every look_every dispatches
 *   other workers        half of what the richest chance finds
 *
 * A look at the world costs a clock reading and some loads.  look_every adapts,
 * so that a look comes about every LOOK_NS of running, whatever the actors do:
 * a fixed number of dispatches would be too often for short ones, and late for
 * long ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <stddef.h>

#define HANDOVERS 64
#define LOOK_NS INT64_C(20000)
#define LOOK_EVERY_MOST 64
#define GLOBAL_BATCH 32

static struct coact__task *
task_of(struct coact__runnable *runnable)
{
    return (struct coact__task *)runnable; // its first member
}

/* Fewer shared writes than fetch_add: only this thread writes these counters,
   others read them whenever they like (relaxed: they guard nothing). */
static void
count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
        memory_order_relaxed);
}

/* ---- Running one task ---- */

static void
begin(void *arg, void *pass)
{
    (void)pass;
    struct coact__task *task = arg;
    task->scheduler->options.run(task);
    coact__task_end(task);
}

static bool
take_stack(struct coact__worker *worker, struct coact__task *task)
{
    if (task->stack_class == 0 && worker->stack_count > 0) {
        task->stack = worker->stacks[--worker->stack_count];
        return true;
    }
    return coact__stacks_get(worker->scheduler->stacks[task->stack_class],
                             &task->stack, NULL) == 0;
}

static void
give_stack(struct coact__worker *worker, struct coact__task *task)
{
    if (task->stack_class == 0 && worker->stack_count < COACT__WORKER_STACKS) {
        worker->stacks[worker->stack_count++] = task->stack;
    } else {
        coact__stacks_put(worker->scheduler->stacks[task->stack_class],
                          &task->stack);
    }
    task->stack.low = NULL;
}

/* The task has left its stack: do what it asked for. */
static void
settle(struct coact__worker *worker, struct coact__task *task)
{
    switch ((enum coact__after)task->after) {
    case COACT__AFTER_YIELD: {
        struct coact__batch overflow = {0};
        if (!coact__runq_push(&worker->queue, &task->runnable, &overflow)) {
            coact__globalq_push_batch(&worker->scheduler->global, &overflow);
        }
        break;
    }
    case COACT__AFTER_LISTEN:
        if (!coact__inbox_sleep_by_owner(&task->inbox,
                                         COACT__INBOX_LISTENING)) {
            coact__task_ready(task);
        }
        break;
    case COACT__AFTER_DEAF:
        if (!coact__inbox_sleep_by_owner(&task->inbox, COACT__INBOX_DEAF)) {
            coact__task_ready(task);
        }
        break;
    case COACT__AFTER_END:
        coact__context_fini(&task->context);
        give_stack(worker, task);
        task->scheduler->options.ended(task);
        break;
    }
}

static void
run(struct coact__worker *worker, struct coact__task *task)
{
    count(&worker->dispatches, 1);
    if (task->stack.low == NULL) {
        if (!take_stack(worker, task)) {
            worker->scheduler->options.no_stack(task);
            return;
        }
        coact__context_make(&task->context, task->stack.low, task->stack.bytes,
                            begin, task);
    }
    worker->current = task;
    coact__context_switch(&worker->context, &task->context, NULL);
    worker->current = NULL;
    settle(worker, task);
}

/* ---- Finding one ---- */

void
coact__worker_look(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    int64_t now = coact__oracle_now_ns();
    worker->looked_ns = now;
    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        uint32_t fired = coact__timers_run(&scheduler->workers[i].timers, now);
        count(&worker->timers_fired, fired);
    }
    coact__poller_poll(&scheduler->poller, 0);
    scheduler->options.look(scheduler->options.owner);
}

/* A look is due: adapt to how long the dispatches since the last one took. */
static void
look_in_passing(struct coact__worker *worker)
{
    int64_t before = worker->looked_ns;
    coact__worker_look(worker);
    int64_t took = worker->looked_ns - before;
    if (took > 2 * LOOK_NS) {
        worker->look_every = worker->look_every / 2 + (worker->look_every < 2);
    } else if (took < LOOK_NS && worker->look_every < LOOK_EVERY_MOST) {
        worker->look_every++;
    }
    worker->until_look = worker->look_every;
}

static struct coact__runnable *
from_global(struct coact__worker *worker, uint32_t most)
{
    struct coact__batch batch = {0};
    struct coact__scheduler *scheduler = worker->scheduler;
    if (coact__globalq_pop(&scheduler->global, most, &batch) == 0) {
        return NULL;
    }
    struct coact__runnable *first = coact__batch_pop(&batch);
    struct coact__runnable *rest;
    while ((rest = coact__batch_pop(&batch)) != NULL) {
        struct coact__batch overflow = {0};
        if (!coact__runq_push(&worker->queue, rest, &overflow)) {
            coact__globalq_push_batch(&scheduler->global, &overflow);
        }
    }
    return first;
}

static struct coact__runnable *
from_slot(struct coact__worker *worker)
{
    // Relaxed: our own store, or NULL, or what a thief is about to take; the
    // exchange decides, and its acquire pairs with the exchange that filled it.
    if (atomic_load_explicit(&worker->next, memory_order_relaxed) == NULL) {
        return NULL;
    }
    return atomic_exchange_explicit(&worker->next, NULL, memory_order_acq_rel);
}

/* The slot of a worker that has not moved since the holder last looked: its
   actor keeps the processor, or waits in the kernel.  Any other slot will be
   emptied by its worker sooner than we could make use of it. */
static struct coact__runnable *
steal_slot(struct coact__worker *victim)
{
    return coact__worker_is_stuck(victim) ? from_slot(victim) : NULL;
}

static struct coact__runnable *
steal(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    uint32_t n = scheduler->worker_count;
    if (n < 2) {
        return NULL;
    }
    uint32_t start = coact__oracle_choose(n);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *victim = &scheduler->workers[(start + i) % n];
        if (victim == worker) {
            continue;
        }
        struct coact__runnable *got =
            coact__runq_steal(&worker->queue, &victim->queue);
        got = got != NULL ? got : steal_slot(victim);
        if (got != NULL) {
            count(&worker->steals, 1);
            return got;
        }
    }
    return NULL;
}

bool
coact__worker_is_stuck(const struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->next, memory_order_relaxed) != NULL &&
           atomic_load_explicit(&worker->dispatches, memory_order_relaxed) ==
               atomic_load_explicit(&worker->dispatches_seen,
                                    memory_order_relaxed);
}

bool
coact__worker_is_behind(struct coact__worker *worker)
{
    bool is_behind = coact__runq_length(&worker->queue) > 0 ||
                     coact__worker_is_stuck(worker);
    // Relaxed: a hint; taking from the queue or the slot decides.
    atomic_store_explicit(
        &worker->dispatches_seen,
        atomic_load_explicit(&worker->dispatches, memory_order_relaxed),
        memory_order_relaxed);
    return is_behind;
}

bool
coact__worker_has_queued(struct coact__worker *worker)
{
    return coact__runq_length(&worker->queue) > 0 ||
           atomic_load_explicit(&worker->next, memory_order_relaxed) != NULL;
}

/* In simulation the oracle says which of those that are ready runs. */
static struct coact__runnable *
pick_by_oracle(struct coact__worker *worker)
{
    struct coact__runnable *slot = from_slot(worker);
    struct coact__batch overflow = {0};
    if (slot != NULL && !coact__runq_push(&worker->queue, slot, &overflow)) {
        coact__globalq_push_batch(&worker->scheduler->global, &overflow);
    }
    uint32_t length = coact__runq_length(&worker->queue);
    if (length == 0) {
        return from_global(worker, 1);
    }
    for (uint32_t turns = coact__oracle_choose(length); turns > 0; turns--) {
        struct coact__runnable *later = coact__runq_pop(&worker->queue);
        bool fits = coact__runq_push(&worker->queue, later, &overflow);
        COACT__INVARIANT(fits);
    }
    return coact__runq_pop(&worker->queue);
}

static struct coact__runnable *
next_local(struct coact__worker *worker)
{
    if (coact__oracle_is_simulated()) {
        return pick_by_oracle(worker);
    }
    struct coact__runnable *found = NULL;
    if (worker->handovers < HANDOVERS) {
        found = from_slot(worker);
        if (found != NULL) {
            worker->handovers++;
            return found;
        }
    }
    worker->handovers = 0;
    found = coact__runq_pop(&worker->queue);
    return found != NULL ? found : from_slot(worker);
}

static struct coact__runnable *
next_task(struct coact__worker *worker)
{
    struct coact__runnable *found = NULL;
    if (--worker->until_look == 0) {
        look_in_passing(worker);
        found = from_global(worker, 1);
    }
    if (found == NULL) {
        found = next_local(worker);
    }
    if (found == NULL) {
        found = from_global(worker, GLOBAL_BATCH);
    }
    if (found == NULL) {
        coact__worker_look(worker);
        found = next_local(worker);
    }
    return found;
}

/* ---- The loops ---- */

static bool
is_stopping(struct coact__scheduler *scheduler)
{
    return atomic_load_explicit(&scheduler->stopping, memory_order_acquire);
}

void
coact__worker_loop(struct coact__worker *worker)
{
    coact__context_init_thread(&worker->context);
    coact__here()->worker = worker;
    while (!is_stopping(worker->scheduler)) {
        struct coact__runnable *found = next_task(worker);
        if (found == NULL) {
            found = steal(worker);
        }
        if (found != NULL) {
            run(worker, task_of(found));
        } else {
            coact__park(worker);
        }
    }
    coact__here()->worker = NULL;
    coact__context_fini(&worker->context);
}

int64_t
coact__worker_run_ready(struct coact__worker *worker, int64_t deadline_ns)
{
    int64_t dispatches = 0;
    coact__context_init_thread(&worker->context);
    coact__here()->worker = worker;
    for (;;) {
        struct coact__runnable *found = next_task(worker);
        if (found == NULL) {
            break;
        }
        run(worker, task_of(found));
        dispatches++;
        if (deadline_ns != INT64_MAX &&
            (worker->until_look == worker->look_every || deadline_ns == 0) &&
            coact__oracle_now_ns() >= deadline_ns) {
            break;
        }
    }
    coact__here()->worker = NULL;
    coact__context_fini(&worker->context);
    return dispatches;
}
