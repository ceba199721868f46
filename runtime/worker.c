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
#define OLDEST_DUE_NS INT64_C(200000)
#define OLDEST_OVERDUE_NS INT64_C(10000000)
#define LAG_NS INT64_C(2000000)
#define SPIN_NS INT64_C(30000)
#define CHOICES 32

static int64_t
looked_ns(const struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->looked_ns, memory_order_relaxed);
}

static uint64_t
dispatches_of(const struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->dispatches, memory_order_relaxed);
}

/* It has run alone, since `began_ns`: nobody but us has it in his hands before it
   is settled. */
static void
judge_run(struct coact__worker *worker, int64_t began_ns)
{
    struct coact__runnable *left = &worker->left->runnable;
    uint8_t runs = coact__runnable_long_runs(left);
    if (coact__oracle_now_ns() - began_ns < LONG_RUN_NS) {
        runs = 0;
    } else if (runs < UINT8_MAX) {
        runs++;
    }
    coact__runnable_set_long_runs(left, runs);
}

/* ---- Turns ---- */

/* What has passed since the last time was the role's whose turn it was. */
static void
charge(struct coact__worker *worker, int64_t now)
{
    coact__roles_charge(&worker->scheduler->roles, worker->ready.role,
                        now - worker->charged_ns);
    worker->charged_ns = now;
}

static void
change_turn(struct coact__worker *worker, uint32_t role, uint32_t urgent)
{
    if (role != worker->ready.role) {
        charge(worker, coact__oracle_now_ns());
    }
    coact__ready_turn(&worker->ready, role, urgent);
}

/* From the loop: run a task, and whatever it switches to. */
static inline void
run(struct coact__worker *worker, struct coact__task *task)
{
    if (task->context.fcontext == NULL &&
        !coact__worker_prepare(worker, task)) {
        return;
    }
    // With a look due behind it, it switches to nobody but us.
    bool is_alone = worker->until_look == 1;
    int64_t began_ns = is_alone ? coact__oracle_now_ns() : 0;
    worker->left_to = NULL;
    coact__worker_enter(worker, task);
    coact__context_switch(&worker->context, &task->context, worker);
    coact__worker_set_current(worker, NULL);
    if (is_alone) {
        judge_run(worker, began_ns);
    }
    coact__worker_settle(worker);
}

void
coact__worker_run_alone(struct coact__worker *worker,
                        struct coact__runnable *runnable)
{
    worker->until_look = 1; // so that it switches to nobody but us
    worker->charged_ns = coact__oracle_now_ns();
    // It is judged by the time that it has had, not by how long we looked.
    atomic_store_explicit(&worker->looked_ns, worker->charged_ns,
                          memory_order_relaxed);
    coact__ready_turn(&worker->ready, runnable->role, 0);
    run(worker, (struct coact__task *)runnable);
    charge(worker, coact__oracle_now_ns());
}

/* ---- Looking ---- */

static void
want_oldest(struct coact__worker *worker, int64_t now)
{
    if (now - worker->oldest_due_ns >= OLDEST_DUE_NS) {
        bool is_overdue = now - worker->oldest_overdue_ns >= OLDEST_OVERDUE_NS;
        coact__ready_want_oldest(&worker->ready, is_overdue);
        worker->oldest_due_ns = now;
        worker->oldest_overdue_ns =
            is_overdue ? now : worker->oldest_overdue_ns;
    }
}

void
coact__worker_look(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    int64_t now = coact__oracle_now_ns();
    charge(worker, now);
    coact__ready_want_sample(&worker->ready);
    want_oldest(worker, now);
    atomic_store_explicit(&worker->looked_ns, now, memory_order_relaxed);
    worker->looked_at = dispatches_of(worker);
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
    uint32_t drowsy = worker->drowsy.count;
    if (drowsy >= COACT__HIBERNATE_SOME ||
        (drowsy > 0 && !coact__worker_has_queued(worker))) {
        coact__hibernate_drowsy(worker);
    }
}

/* Roles on different workers never meet in one queue, and each would have all of
   its own: if another worker keeps tasks of a role waiting whose clock is far
   behind that of the role that runs here, some of them are for us. */
static void
help_laggard(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    uint32_t own = coact__ready_waiting(&worker->ready);
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        uint32_t theirs = coact__ready_waiting(&other->ready) & ~own &
                          ~(UINT32_C(1) << worker->ready.role);
        for (; other != worker && theirs != 0; theirs &= theirs - 1) {
            uint32_t role = (uint32_t)__builtin_ctz(theirs);
            if (coact__roles_lag(&scheduler->roles, role, worker->ready.role) >
                    LAG_NS &&
                coact__ready_steal_role(&worker->ready, &other->ready, role) >
                    0) {
                coact__worker_count(&worker->steals, 1);
                return;
            }
        }
    }
}

/* A look is due: adapt to how long the dispatches since the last one took.  One
   that came early, since we were asked for it, says nothing of short runs.  A
   dispatch may count down twice. */
static void
look_in_passing(struct coact__worker *worker)
{
    int64_t before = looked_ns(worker);
    uint64_t ran = dispatches_of(worker) - worker->looked_at;
    coact__worker_look(worker);
    int64_t took = looked_ns(worker) - before;
    if (took > 2 * LOOK_NS) {
        worker->look_every = worker->look_every / 2 + (worker->look_every < 2);
    } else if (took < LOOK_NS && 2 * ran >= worker->look_every &&
               worker->look_every < LOOK_EVERY_MOST &&
               !coact__oracle_is_simulated()) {
        worker->look_every += 1 + worker->look_every / 8;
    }
    worker->until_look = worker->look_every;
    if (coact__roles_are_several(&worker->scheduler->roles)) {
        help_laggard(worker);
    }
}

/* ---- Finding one ---- */

/* To our own lines, where their rank and role decide. */
static void
take_from_global(struct coact__worker *worker)
{
    struct coact__batch batch = {0};
    if (coact__globalq_pop(&worker->scheduler->global, GLOBAL_BATCH, &batch) >
        0) {
        coact__ready_put_all(&worker->ready, &batch);
    }
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
    uint32_t waiting = coact__ready_roles(ready);
    if (waiting == 0) {
        return;
    }
    uint32_t urgent = 0;
    uint32_t role =
        coact__roles_choose(&worker->scheduler->roles, waiting, &urgent);
    change_turn(worker, role, urgent);
}

static struct coact__runnable *
next_local(struct coact__worker *worker)
{
    if (coact__oracle_is_simulated()) {
        struct coact__runnable *picked = pick_by_oracle(worker);
        if (picked != NULL) {
            change_turn(worker, picked->role, 0);
        }
        return picked;
    }
    if (!coact__worker_has_queued(worker)) {
        return NULL;
    }
    if (coact__roles_are_several(&worker->scheduler->roles)) {
        give_turn(worker);
    }
    return coact__ready_pop(&worker->ready);
}

static struct coact__runnable *
next_task(struct coact__worker *worker)
{
    if (--worker->until_look == 0) {
        look_in_passing(worker);
        take_from_global(worker);
    }
    struct coact__runnable *found = next_local(worker);
    if (found == NULL) {
        take_from_global(worker);
        found = next_local(worker);
    }
    if (found == NULL) {
        coact__worker_look(worker);
        found = next_local(worker);
    }
    return found;
}

/* ---- The loops ---- */

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
    coact__hibernate_drowsy(worker); // we may be parked for long
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
    worker->charged_ns = coact__oracle_now_ns(); // nobody's time
    return has_found;
}

/* Park; who sleeps uses nothing. */
static bool
rest(struct coact__worker *worker, bool (*park)(struct coact__worker *worker))
{
    bool goes_on = park(worker);
    worker->charged_ns = coact__oracle_now_ns();
    return goes_on;
}

/* The rest of a round in which nothing was to be run. */
static bool
go_idle(struct coact__worker *worker)
{
    // It was there and not to be had: we were asked to look up in between.
    if (coact__worker_has_queued(worker) || coact__worker_steal(worker) ||
        wait_a_little(worker)) {
        return true;
    }
    worker->until_look = 1; // who comes back looks first
    return rest(worker, coact__park);
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
            charge(worker, coact__oracle_now_ns());
            return rest(worker, coact__park_anyway);
        }
    }
    if (worker->trial.is_on &&
        coact__trial_has_failed(worker, looked_ns(worker))) {
        worker->trial.is_on = false;
        hand_over(worker);
        return rest(worker, coact__park_anyway); // our own news would keep us
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
    while (goes_on && !coact__scheduler_is_stopping(worker->scheduler)) {
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
