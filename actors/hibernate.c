/*
 * hibernate.c - who is hibernated, and when somebody looks for them.
 *
 * An actor that is to hibernate at once is its worker's affair.  Those that are
 * to hibernate later are found by walking the slots: a pass, in batches, each
 * by whoever looks first when its timer has fired.
 *
 *   state     | becomes   | when                       | by
 *   RESTING   | ARMED     | somebody has parked        | his worker, at a look
 *   ARMED     | DUE       | the timer fires            | whoever fires it
 *   DUE       | SWEEPING  | at the next look           | who looks; it is his
 *   SWEEPING  | ARMED     | the pass is not over, or there will be another | he
 *   SWEEPING  | RESTING   | none is left that is too young                 | he
 *
 * So a runtime in which nobody parks any more comes to rest: after the pass that
 * has taken the last one no timer is armed.
 *
 * Nobody is forgotten.  A worker raises its flag has_drowsy behind the sleep of
 * each that parks.  A pass lowers all flags before it walks: what it sees lowered
 * then, it finds asleep (release -> acquire), and what is raised later stays
 * raised.  At the end there is "rest, then look at the flags" here and "raise
 * the flag, then look whether it rests" at a worker's look: all four are
 * seq_cst, so that one of the two sees the other.
 *
 * The fields of the sweep are his who has moved the state to SWEEPING; acquire
 * and release hand them on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/hibernate.h"

#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/oracle.h"

#include <errno.h>

/* Slots that one batch looks at, at most. */
#define SWEEP_SLOTS 2048

/* From one pass to the next, at least. */
#define PASS_LEAST_NS INT64_C(1000000)

/* More than a clock of COACT__SINCE_SHIFT and 31 bits can tell. */
#define FOR_EVER_NS (INT64_C(1) << 50)

enum state { RESTING, ARMED, DUE, SWEEPING };

static bool
move(struct coact__hibernation *sweep, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(
        &sweep->state, &from, to, memory_order_seq_cst, memory_order_seq_cst);
}

/* In the hands of a timer: it must not wait, and does not. */
static void
fire(struct coact__timer *timer)
{
    struct coact__hibernation *sweep = (struct coact__hibernation *)timer;
    atomic_store_explicit(&sweep->state, DUE, memory_order_release);
}

/* It is ARMED; from here on the timer's. */
static void
arm(struct coact_runtime *runtime, int64_t deadline_ns)
{
    struct coact__hibernation *sweep = &runtime->hibernation;
    struct coact__worker *worker = coact__here()->worker;
    sweep->timer.fire = fire;
    coact__timer_arm(&worker->timers, &sweep->timer, deadline_ns);
}

/* The first pass after somebody has parked comes when he is due. */
static void
arm_anew(struct coact_runtime *runtime)
{
    arm(runtime, coact__oracle_now_ns() + runtime->options.hibernate_after_ns);
}

/* ---- A pass ---- */

static void
lower_flags(struct coact__scheduler *scheduler)
{
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        atomic_exchange_explicit(&scheduler->workers[i].has_drowsy, false,
                                 memory_order_seq_cst);
    }
}

static bool
is_a_flag_raised(struct coact__scheduler *scheduler)
{
    bool is_raised = false;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; !is_raised && i < n; i++) {
        is_raised = atomic_load_explicit(&scheduler->workers[i].has_drowsy,
                                         memory_order_seq_cst);
    }
    return is_raised;
}

/* Is it asleep for us to take?  A glance: others may wake it meanwhile. */
static bool
is_candidate(struct coact__actor *actor)
{
    struct coact__task *task = &actor->task;
    return atomic_load_explicit(&task->hibernates, memory_order_relaxed) !=
               COACT__HIBERNATES_NEVER &&
           !atomic_load_explicit(&task->is_hibernated, memory_order_relaxed) &&
           atomic_load_explicit(&task->inbox.word, memory_order_relaxed) ==
               COACT__INBOX_LISTENING;
}

/* Who has begun to wait since we looked at the clock has rested less than no
   time; hence the sign. */
static int64_t
rested_ns(const struct coact__actor *actor, int64_t now)
{
    uint32_t since =
        atomic_load_explicit(&actor->since_ms, memory_order_relaxed);
    int32_t rested = (int32_t)((uint32_t)(now >> COACT__SINCE_SHIFT) - since);
    return (int64_t)rested * (INT64_C(1) << COACT__SINCE_SHIFT);
}

/* Look at the next slots.  How many were found to be due. */
static uint32_t
gather(struct coact_runtime *runtime, int64_t now)
{
    struct coact__hibernation *sweep = &runtime->hibernation;
    uint32_t found = 0;
    struct coact__actor *actor = NULL;
    for (uint32_t i = 0; i < SWEEP_SLOTS && found < COACT__HIBERNATE_BATCH;
         i++) {
        actor = coact__slot_at(runtime, sweep->next_slot);
        if (actor == NULL) {
            break;
        }
        sweep->next_slot++;
        if (!is_candidate(actor)) {
            continue;
        }
        int64_t rested = rested_ns(actor, now);
        if (rested >= runtime->options.hibernate_after_ns) {
            sweep->found[found++] = &actor->task;
        } else if (rested > sweep->longest_ns) {
            sweep->longest_ns = rested > 0 ? rested : 0;
        }
    }
    if (actor == NULL) {
        sweep->next_slot = 0;
    }
    return found;
}

/* The state is ours, and the pass is over. */
static void
end_pass(struct coact_runtime *runtime, int64_t now)
{
    struct coact__hibernation *sweep = &runtime->hibernation;
    int64_t after = runtime->options.hibernate_after_ns;
    if (sweep->longest_ns != -1) {
        // Not one pass for each who comes of age: half of the time at least.
        int64_t least = after / 2 > PASS_LEAST_NS ? after / 2 : PASS_LEAST_NS;
        int64_t left = after - sweep->longest_ns;
        atomic_store_explicit(&sweep->state, ARMED, memory_order_relaxed);
        arm(runtime, now + (left > least ? left : least));
        return;
    }
    atomic_store_explicit(&sweep->state, RESTING, memory_order_seq_cst);
    if (is_a_flag_raised(&runtime->scheduler) && move(sweep, RESTING, ARMED)) {
        arm_anew(runtime);
    }
}

/* The state is ours: one batch. */
static void
sweep_some(struct coact_runtime *runtime)
{
    struct coact__hibernation *sweep = &runtime->hibernation;
    int64_t now = coact__oracle_now_ns();
    if (sweep->next_slot == 0) {
        lower_flags(&runtime->scheduler);
        sweep->longest_ns = -1;
    }
    uint32_t found = gather(runtime, now);
    coact__hibernate(coact__here()->worker, sweep->found, found);
    if (sweep->next_slot == 0) {
        end_pass(runtime, now);
    } else {
        atomic_store_explicit(&sweep->state, ARMED, memory_order_relaxed);
        arm(runtime, now); // others first: what is due is seen at a later look
    }
}

void
coact__hibernation_look(struct coact_runtime *runtime)
{
    struct coact__hibernation *sweep = &runtime->hibernation;
    struct coact__worker *worker = coact__here()->worker;
    if (atomic_load_explicit(&sweep->state, memory_order_relaxed) == DUE &&
        move(sweep, DUE, SWEEPING)) {
        sweep_some(runtime);
    }
    if (COACT__UNLIKELY(
            atomic_load_explicit(&worker->has_drowsy, memory_order_relaxed))) {
        atomic_exchange_explicit(&worker->has_drowsy, true,
                                 memory_order_seq_cst);
        if (move(sweep, RESTING, ARMED)) {
            arm_anew(runtime);
        }
    }
}

/* ---- What an actor says of itself ---- */

_Static_assert((int)COACT_HIBERNATE_NEVER == (int)COACT__HIBERNATES_NEVER &&
                   (int)COACT_HIBERNATE_LATER == (int)COACT__HIBERNATES_LATER &&
                   (int)COACT_HIBERNATE_AT_ONCE ==
                       (int)COACT__HIBERNATES_AT_ONCE,
               "one is copied to the other");

void
coact__hibernate_allow(struct coact__actor *actor, enum coact_hibernate when)
{
    // Or each of its waits would raise a flag for a sweep that never comes.
    bool never =
        when == COACT_HIBERNATE_LATER &&
        coact__runtime_of(actor)->options.hibernate_after_ns >= FOR_EVER_NS;
    atomic_store_explicit(&actor->task.hibernates,
                          never ? (uint8_t)COACT__HIBERNATES_NEVER
                                : (uint8_t)when,
                          memory_order_relaxed);
}

int
coact_set_hibernate(enum coact_hibernate when)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_set_hibernate");
    if (actor == NULL) {
        return -EPERM;
    }
    if ((unsigned)when > COACT_HIBERNATE_AT_ONCE) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL,
                             "coact_set_hibernate",
                             "%d is none of COACT_HIBERNATE_...", (int)when);
    }
    if ((actor->traits & COACT__PINNED) == 0) {
        coact__hibernate_allow(actor, when);
    }
    return 0;
}
