/*
 * worker.c - one task after another.
 *
 * Tasks switch to each other directly (task.c), and come to the loop below for
 * what is rare:
 *   a look          at the time, timers, descriptors, the global queue, whose
 *                   turn it is, whether we are of use; each look_every dispatches
 *   nothing ready   the global queue, other workers, parking
 *
 * look_every adapts, so that a look comes about every LOOK_NS of running,
 * whatever the actors do: a fixed number of dispatches would be too often for
 * short ones, and late for long ones.  A worker whose runs become long of a
 * sudden is reminded by the lookout, which sees its last look grow old.
 *
 * A run that fills the time between two looks is a long one.  A task that has
 * had several, one after another, is patient from then on (ready.h): it has
 * shown that it can be waited for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/lookout.h"
#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <stddef.h>

#define LOOK_NS INT64_C(20000)
#define LOOK_EVERY_MOST 256
#define GLOBAL_BATCH 256
#define LONG_RUN_NS INT64_C(1000000)
#define LONG_RUNS 2
#define SPIN_NS INT64_C(30000)
#define CHOICES 256

/* ---- Stacks ---- */

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
    coact__context_fini(&task->context);
    if (task->stack_class == 0 && worker->stack_count < COACT__WORKER_STACKS) {
        worker->stacks[worker->stack_count++] = task->stack;
    } else {
        coact__stacks_put(worker->scheduler->stacks[task->stack_class],
                          &task->stack);
    }
    task->stack.low = NULL;
}

/* ---- Behind a switch ---- */

static void
fall_asleep(struct coact__worker *worker, struct coact__task *task,
            enum coact__inbox_flag how)
{
    task->runnable.rank = task->runnable.long_runs < LONG_RUNS
                              ? COACT__RANK_PROMPT
                              : COACT__RANK_PATIENT;
    if (!coact__inbox_sleep_by_owner(&task->inbox, how)) {
        coact__ready_put_next(&worker->ready, &task->runnable);
    }
}

void
coact__worker_settle_left(struct coact__worker *worker,
                          struct coact__task *task)
{
    switch ((enum coact__after)task->after) {
    case COACT__AFTER_LISTEN:
        fall_asleep(worker, task, COACT__INBOX_LISTENING);
        break;
    case COACT__AFTER_DEAF:
        fall_asleep(worker, task, COACT__INBOX_DEAF);
        break;
    case COACT__AFTER_YIELD:
        task->runnable.rank = COACT__RANK_PATIENT;
        coact__ready_put(&worker->ready, &task->runnable);
        break;
    case COACT__AFTER_REST:
        give_stack(worker, task);
        fall_asleep(worker, task, COACT__INBOX_LISTENING);
        break;
    case COACT__AFTER_END:
        give_stack(worker, task);
        task->scheduler->options.ended(task);
        break;
    }
}

/* ---- The first frames of a stack ---- */

/* Go on on the same stack with a task that needs one: the last one has just
   returned, so nothing of it is left there.  Not where tools tell tasks apart
   by their stacks. */
static bool
can_inherit(const struct coact__task *task, const struct coact__task *heir)
{
    return !COACT__ASAN && !COACT__TSAN && heir != NULL &&
           heir->context.fcontext == NULL &&
           heir->stack_class == task->stack_class;
}

static void
inherit(struct coact__worker *worker, struct coact__task *task,
        struct coact__task *heir, enum coact__after after)
{
    heir->stack = task->stack;
    heir->context = task->context;
    heir->runnable.is_fresh = false;
    task->stack.low = NULL;
    task->context = (struct coact__context){0};
    coact__worker_enter(worker, heir);
    if (after == COACT__AFTER_REST) {
        fall_asleep(worker, task, COACT__INBOX_LISTENING);
    } else {
        task->scheduler->options.ended(task);
    }
}

/* The next one as it is: it may have no stack yet. */
static struct coact__task *
next_unprepared(struct coact__worker *worker)
{
    if (--worker->until_look == 0) {
        worker->until_look = 1;
        return NULL;
    }
    return (struct coact__task *)coact__ready_pop(&worker->ready);
}

static void
begin(void *arg, void *pass)
{
    struct coact__task *task = arg;
    coact__worker_settle(pass);
    for (;;) {
        enum coact__after after = task->scheduler->options.run(task);
        struct coact__worker *worker = coact__here()->worker;
        struct coact__task *next = next_unprepared(worker);
        if (can_inherit(task, next)) {
            inherit(worker, task, next, after);
            task = next;
            continue;
        }
        if (next != NULL && next->context.fcontext == NULL &&
            !coact__worker_prepare(worker, next)) {
            next = NULL;
        }
        task->after = (uint8_t)after;
        worker->left = task;
        if (next != NULL) {
            coact__worker_enter(worker, next);
        }
        coact__context_switch_final(
            &task->context, next != NULL ? &next->context : &worker->context,
            worker);
    }
}

bool
coact__worker_prepare(struct coact__worker *worker, struct coact__task *task)
{
    if (!take_stack(worker, task)) {
        // What it does to end is not done by who runs here.
        struct coact__task *current = coact__worker_current(worker);
        coact__worker_set_current(worker, NULL);
        worker->scheduler->options.no_stack(task);
        coact__worker_set_current(worker, current);
        return false;
    }
    task->runnable.is_fresh = false;
    coact__context_make(&task->context, task->stack.low, task->stack.bytes,
                        begin, task);
    return true;
}

static int64_t
looked_ns(const struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->looked_ns, memory_order_relaxed);
}

/* A look is due.  Who ran since the last one, alone, has had all of the time:
   nobody but us has it in his hands before it is settled. */
static void
judge_run(struct coact__worker *worker, uint64_t dispatches_before)
{
    struct coact__runnable *left = &worker->left->runnable;
    bool was_alone =
        atomic_load_explicit(&worker->dispatches, memory_order_relaxed) ==
        dispatches_before + 1;
    if (coact__oracle_now_ns() - looked_ns(worker) < LONG_RUN_NS) {
        left->long_runs = 0;
    } else if (was_alone && left->long_runs < UINT8_MAX) {
        left->long_runs++;
    }
}

/* From the loop: run a task, and whatever it switches to. */
static inline void
run(struct coact__worker *worker, struct coact__task *task)
{
    if (task->context.fcontext == NULL &&
        !coact__worker_prepare(worker, task)) {
        return;
    }
    uint64_t before =
        atomic_load_explicit(&worker->dispatches, memory_order_relaxed);
    coact__worker_enter(worker, task);
    coact__context_switch(&worker->context, &task->context, worker);
    coact__worker_set_current(worker, NULL);
    if (worker->until_look == 1) {
        judge_run(worker, before);
    }
    coact__worker_settle(worker);
}

void
coact__worker_run_alone(struct coact__worker *worker,
                        struct coact__runnable *runnable)
{
    worker->until_look = 1; // so that it switches to nobody but us
    run(worker, (struct coact__task *)runnable);
}

/* ---- Looking ---- */

void
coact__worker_look(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    int64_t now = coact__oracle_now_ns();
    coact__roles_charge(&scheduler->roles, worker->ready.role,
                        now - looked_ns(worker));
    atomic_store_explicit(&worker->looked_ns, now, memory_order_relaxed);
    worker->looks++;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t fired = coact__timers_run(&scheduler->workers[i].timers, now);
        if (fired > 0) {
            coact__worker_count(&worker->timers_fired, fired);
        }
    }
    if (scheduler->options.host_driven) {
        coact__poller_poll(&scheduler->poller, 0); // the kicks, too
    } else {
        coact__poller_look(&scheduler->poller);
    }
    scheduler->options.look(scheduler->options.owner);
}

/* A look is due: adapt to how long the dispatches since the last one took. */
static void
look_in_passing(struct coact__worker *worker)
{
    int64_t before = looked_ns(worker);
    coact__worker_look(worker);
    int64_t took = looked_ns(worker) - before;
    if (took > 2 * LOOK_NS) {
        worker->look_every = worker->look_every / 2 + (worker->look_every < 2);
    } else if (took < LOOK_NS && worker->look_every < LOOK_EVERY_MOST &&
               !coact__oracle_is_simulated()) {
        worker->look_every += 1 + worker->look_every / 8;
    }
    worker->until_look = worker->look_every;
}

/* ---- Finding one ---- */

static struct coact__runnable *
from_global(struct coact__worker *worker, uint32_t most)
{
    struct coact__batch batch = {0};
    if (coact__globalq_pop(&worker->scheduler->global, most, &batch) == 0) {
        return NULL;
    }
    struct coact__runnable *first = coact__batch_pop(&batch);
    coact__ready_put_all(&worker->ready, &batch);
    return first;
}

static bool
is_stuck(struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->is_stuck, memory_order_relaxed);
}

/* All of one that is stuck; half of one that has at least `least` queued. */
static bool
steal_from(struct coact__worker *worker, struct coact__worker *victim,
           uint32_t least)
{
    if (is_stuck(victim)) {
        struct coact__batch all = {0};
        uint32_t count = coact__ready_take_all(&victim->ready, &all);
        coact__ready_put_all(&worker->ready, &all);
        return count > 0;
    }
    return coact__ready_length(&victim->ready) >= least &&
           coact__ready_steal(&worker->ready, &victim->ready) > 0;
}

static bool
steal(struct coact__worker *worker, uint32_t least)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    uint32_t n = coact__scheduler_workers(scheduler);
    uint32_t start = n > 1 ? coact__oracle_choose(n) : 0;
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *victim = &scheduler->workers[(start + i) % n];
        if (victim != worker && steal_from(worker, victim, least)) {
            coact__worker_count(&worker->steals, 1);
            return true;
        }
    }
    return false;
}

bool
coact__worker_steal(struct coact__worker *worker)
{
    // A single one would only change cores: its worker is about to run it.
    return steal(worker, 2);
}

bool
coact__worker_steal_any(struct coact__worker *worker)
{
    return steal(worker, 1);
}

/* In simulation the oracle says which of those that are ready runs. */
static struct coact__runnable *
pick_by_oracle(struct coact__worker *worker)
{
    uint32_t length = coact__ready_length(&worker->ready) +
                      coact__ready_has_slot(&worker->ready);
    // A long line is not walked along for each choice.
    uint32_t among = length < CHOICES ? length : CHOICES;
    return length == 0 ? NULL
                       : coact__ready_pop_nth(&worker->ready,
                                              coact__oracle_choose(among));
}

/* Whose turn it is among all that wait here. */
static void
give_turn(struct coact__worker *worker)
{
    struct coact__ready *ready = &worker->ready;
    uint32_t waiting = coact__ready_waiting(ready);
    if (coact__ready_has_slot(ready) ||
        ready->fresh_first != ready->fresh_end) {
        waiting |= UINT32_C(1) << ready->role;
    }
    if (waiting == 0) {
        return;
    }
    uint32_t urgent = 0;
    uint32_t role =
        coact__roles_choose(&worker->scheduler->roles, waiting, &urgent);
    coact__ready_turn(ready, role, urgent);
}

static struct coact__runnable *
next_local(struct coact__worker *worker)
{
    if (coact__oracle_is_simulated()) {
        return pick_by_oracle(worker);
    }
    if (!coact__worker_has_queued(worker)) {
        return NULL;
    }
    if (worker->scheduler->roles.count > 1) {
        give_turn(worker);
    }
    return coact__ready_pop(&worker->ready);
}

static struct coact__runnable *
next_task(struct coact__worker *worker)
{
    struct coact__runnable *found = NULL;
    if (--worker->until_look == 0) {
        look_in_passing(worker);
        found = from_global(worker, GLOBAL_BATCH);
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

/* Make one that runs look up, so that it finds what is in the global queue before
   the lookout does. */
static void
alert_one(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        if (other != worker && coact__worker_current(other) != NULL &&
            !is_stuck(other)) {
            atomic_store_explicit(&other->ready.bias.attention, true,
                                  memory_order_relaxed);
            return;
        }
    }
}

/* Everything that we have is for others to run. */
static void
hand_over(struct coact__worker *worker)
{
    struct coact__batch all = {0};
    if (coact__ready_give_up_all(&worker->ready, &all) > 0) {
        coact__globalq_push_batch(&worker->scheduler->global, &all);
        coact__park_announce(worker->scheduler);
        alert_one(worker);
    }
}

/* Nothing to run, while others run: something may turn up soon, and parking is
   dear.  True: it has.  One at a time does this. */
static bool
wait_a_little(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    if (coact__census_awake(&scheduler->census) < 2 ||
        atomic_exchange_explicit(&scheduler->trials.somebody_spins, true,
                                 memory_order_relaxed)) {
        return false;
    }
    int64_t end = looked_ns(worker) + SPIN_NS;
    bool has_found = false;
    while (!has_found && coact__oracle_now_ns() < end) {
        for (int i = 0; i < 20; i++) {
            coact__pause();
        }
        has_found = coact__globalq_length(&scheduler->global) > 0 ||
                    coact__worker_steal(worker);
    }
    atomic_store_explicit(&scheduler->trials.somebody_spins, false,
                          memory_order_relaxed);
    return has_found;
}

/* The rest of a round in which nothing was to be run. */
static bool
go_idle(struct coact__worker *worker)
{
    // A pop that was asked to look up has found nothing, whatever is there.
    if (coact__worker_has_queued(worker) || coact__worker_steal(worker) ||
        wait_a_little(worker)) {
        return true;
    }
    worker->until_look = 1; // who comes back looks first
    return coact__park(worker);
}

/* Asked to look up, or on trial and of no use: park.  False: the thread ends. */
static bool
see_to_orders(struct coact__worker *worker)
{
    bool attention = atomic_load_explicit(&worker->ready.bias.attention,
                                          memory_order_relaxed);
    if (attention) {
        atomic_store_explicit(&worker->ready.bias.attention, false,
                              memory_order_relaxed);
        worker->until_look = 1;
        if (!coact__lookout_come_back(worker)) {
            hand_over(worker);
            return coact__park_anyway(worker);
        }
    }
    if (worker->trial.is_on &&
        coact__trial_has_failed(worker, looked_ns(worker))) {
        worker->trial.is_on = false;
        hand_over(worker);
        return coact__park_anyway(worker); // our own news would keep us
    }
    return true;
}

void
coact__worker_loop(struct coact__worker *worker)
{
    coact__context_init_thread(&worker->context);
    coact__here()->worker = worker;
    worker->errno_at = coact__errno_here();
    bool goes_on = coact__park_begin(worker);
    while (goes_on && !is_stopping(worker->scheduler)) {
        goes_on = see_to_orders(worker);
        struct coact__runnable *found = goes_on ? next_task(worker) : NULL;
        if (found != NULL) {
            run(worker, (struct coact__task *)found);
        } else if (goes_on) {
            goes_on = go_idle(worker);
        }
    }
    coact__here()->worker = NULL;
    coact__context_fini(&worker->context);
}

int64_t
coact__worker_run_ready(struct coact__worker *worker, int64_t deadline_ns)
{
    uint64_t before =
        atomic_load_explicit(&worker->dispatches, memory_order_relaxed);
    coact__context_init_thread(&worker->context);
    coact__here()->worker = worker;
    worker->errno_at = coact__errno_here();
    for (;;) {
        uint64_t looks = worker->looks;
        struct coact__runnable *found = next_task(worker);
        if (found == NULL) {
            break;
        }
        if (deadline_ns == 0) {
            worker->until_look = 1; // one at a time
        }
        run(worker, (struct coact__task *)found);
        if (deadline_ns != INT64_MAX &&
            (worker->looks != looks || deadline_ns == 0) &&
            coact__oracle_now_ns() >= deadline_ns) {
            break;
        }
    }
    coact__here()->worker = NULL;
    coact__context_fini(&worker->context);
    return (int64_t)(atomic_load_explicit(&worker->dispatches,
                                          memory_order_relaxed) -
                     before);
}
