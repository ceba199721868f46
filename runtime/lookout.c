/*
 * lookout.c - looking after those that run.
 *
 * What is known of a worker is its number of dispatches and what runs on it.
 * One whose number has not moved is in one long run.  That may be a loop, a
 * system call, or a thread that gets no processor; to stand in for it is right
 * in all three.
 *
 * Under the lock of the parking: is_stuck, the number of those that are, and
 * is_away.  A worker may come back between our look and our decision; it then
 * finds that it has been counted out, and counts itself in.  It may even be about
 * to park: whoever is first under the lock counts it out, and the other does not.
 *
 * The lookout gives up its place before it runs a task: that may be a loop as
 * well, and somebody must see it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/lookout.h"

#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <stddef.h>

#define GAP_FIRST_NS INT64_C(50000)
#define GAP_LAST_NS INT64_C(400000)
#define GAP_ALL_BUSY_NS INT64_C(1000000)
#define GAP_URGENT_NS INT64_C(100000)
#define STUCK_NS INT64_C(10000000)
#define OLD_LOOK_NS INT64_C(2000000)
#define STAND_INS 8u
#define SERVE_MOST 64u

/* What the lookout remembers from one look to the next. */
struct watch {
    struct coact__worker *worker; /* ourselves */
    int64_t now_ns;
    int64_t gap_ns; /* until the next look, while others run */
    int64_t before_ns;
    uint64_t operations; /* at before_ns */
    bool were_behind;
    bool was_global; /* something was in the global queue */
    bool has_served;
};

static bool
is_stopping(struct coact__scheduler *scheduler)
{
    return atomic_load_explicit(&scheduler->stopping, memory_order_acquire);
}

static bool
is_stuck(struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->is_stuck, memory_order_relaxed);
}

static bool
is_serving(struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->is_serving, memory_order_relaxed);
}

static uint32_t
stuck_workers(struct coact__scheduler *scheduler)
{
    // Relaxed: written under the lock; how long we sleep may be out of date.
    return atomic_load_explicit(&scheduler->parking.stuck,
                                memory_order_relaxed);
}

/* ---- Looking at the others ---- */

/* How long a worker has been in the run that it is in; 0 if it is in none. */
static int64_t
unmoved_ns(struct coact__worker *other, int64_t now)
{
    uint64_t dispatches =
        atomic_load_explicit(&other->dispatches, memory_order_relaxed);
    struct coact__sighting *seen = &other->sighting;
    if (dispatches != seen->dispatches ||
        coact__worker_current(other) == NULL) {
        *seen = (struct coact__sighting){dispatches, now};
    }
    return now - seen->since_ns;
}

/* Remind one that is busy with short runs no more, or not any more, of time. */
static void
remind(struct coact__worker *other, int64_t now)
{
    int64_t looked =
        atomic_load_explicit(&other->looked_ns, memory_order_relaxed);
    if (now - looked > OLD_LOOK_NS && coact__worker_current(other) != NULL) {
        atomic_store_explicit(&other->ready.bias.attention, true,
                              memory_order_relaxed);
    }
}

/* What one look at all others has told. */
struct sight {
    struct coact__worker *stuck; /* the one that has been in a run longest, of
                                    those whose place may be taken */
    int64_t longest_ns;
    int64_t shortest_ns; /* of those that are counted; how long at least */
    bool work_waits;
    bool are_behind; /* somebody has more queued than it runs */
};

static void
see(struct watch *watch, struct sight *sight)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    *sight = (struct sight){.shortest_ns = INT64_MAX};
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        if (other == watch->worker) {
            continue;
        }
        int64_t unmoved = unmoved_ns(other, watch->now_ns);
        bool has_queued = coact__worker_has_queued(other);
        sight->work_waits = sight->work_waits || has_queued;
        sight->are_behind = sight->are_behind ||
                            coact__ready_length(&other->ready) > 0 ||
                            (has_queued && unmoved >= STUCK_NS);
        if (coact__worker_current(other) == NULL || is_stuck(other) ||
            is_serving(other)) {
            continue;
        }
        remind(other, watch->now_ns);
        sight->shortest_ns =
            unmoved < sight->shortest_ns ? unmoved : sight->shortest_ns;
        if (unmoved > sight->longest_ns) {
            sight->longest_ns = unmoved;
            sight->stuck = other;
        }
    }
    sight->work_waits = sight->work_waits ||
                        coact__worker_has_queued(watch->worker) ||
                        coact__globalq_length(&scheduler->global) > 0;
}

/* ---- Joining ---- */

/* Others run, and there are cores left: is there enough for us too? */
static bool
may_join(struct watch *watch, const struct sight *sight)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    bool is_lasting = sight->are_behind && watch->were_behind;
    watch->were_behind = sight->are_behind;
    uint64_t operations = coact__trial_operations(scheduler);
    bool joins =
        is_lasting && coact__trial_may_join(watch->worker, watch->now_ns,
                                            operations - watch->operations,
                                            watch->now_ns - watch->before_ns);
    watch->operations = operations;
    watch->before_ns = watch->now_ns;
    return joins && coact__worker_steal_any(watch->worker);
}

/* ---- Standing in ---- */

/* Go to work in the place of one that is stuck, with all that it has queued.
   False: it is not in its run any more, and has counted itself out. */
static bool
stand_in(struct coact__worker *worker, struct coact__worker *stuck)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    bool is_there = !stuck->parked.is_away;
    if (is_there) {
        atomic_store_explicit(&stuck->is_stuck, true, memory_order_relaxed);
        atomic_fetch_add_explicit(&parking->stuck, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&parking->lock);
    if (!is_there) {
        return false;
    }
    // Behind is_stuck: who sees the one finds the other.
    atomic_store_explicit(&stuck->ready.bias.attention, true,
                          memory_order_release);
    // If there is news, it is ours to see to: we go to work.
    (void)coact__census_leave_anyway(&scheduler->census);
    struct coact__batch all = {0};
    coact__ready_take_all(&stuck->ready, &all);
    coact__ready_put_all(&worker->ready, &all);
    return true;
}

/* Counted as it should be: if somebody had counted us out, in again.  True: he
   had. */
static bool
be_counted(struct coact__worker *worker, bool is_away)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    worker->parked.is_away = is_away;
    bool was_stuck = is_stuck(worker);
    if (was_stuck) {
        atomic_store_explicit(&worker->is_stuck, false, memory_order_relaxed);
        atomic_fetch_sub_explicit(&parking->stuck, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&parking->lock);
    if (was_stuck) {
        coact__census_join(&scheduler->census);
    }
    return was_stuck;
}

bool
coact__lookout_come_back(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    return !be_counted(worker, false) ||
           coact__census_awake(&scheduler->census) <= scheduler->worker_count;
}

void
coact__lookout_let_go(struct coact__worker *worker)
{
    (void)be_counted(worker, true);
}

/* ---- Serving ---- */

/* Run one task here; then we have the place again, or another has it. */
static bool
serve(struct coact__worker *worker, struct coact__runnable *runnable)
{
    struct coact__parking *parking = &worker->scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    parking->lookout = NULL;
    parking->serving++;
    atomic_store_explicit(&worker->is_serving, true, memory_order_relaxed);
    coact__park_want_successor(worker->scheduler);
    pthread_mutex_unlock(&parking->lock);
    coact__worker_run_alone(worker, runnable);
    pthread_mutex_lock(&parking->lock);
    atomic_store_explicit(&worker->is_serving, false, memory_order_relaxed);
    parking->serving--;
    bool is_ours = parking->lookout == NULL;
    if (is_ours) {
        parking->lookout = worker;
    }
    pthread_mutex_unlock(&parking->lock);
    return is_ours;
}

static bool
is_urgent(const struct coact__scheduler *scheduler,
          const struct coact__runnable *runnable)
{
    return (scheduler->roles.tight >> runnable->role & 1) != 0 &&
           runnable->rank == COACT__RANK_PROMPT;
}

/* What is ready and nobody's yet; and, of those in a long run, what they have
   queued if some of it is urgent. */
static void
gather(struct watch *watch, bool all, struct coact__batch *out)
{
    struct coact__worker *worker = watch->worker;
    struct coact__scheduler *scheduler = worker->scheduler;
    coact__ready_give_up_all(&worker->ready, out);
    coact__globalq_pop(&scheduler->global, SERVE_MOST, out);
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        bool is_wanted = (coact__ready_waiting(&other->ready) &
                          scheduler->roles.tight) != 0 ||
                         (all && coact__worker_has_queued(other));
        if (other != worker && is_wanted &&
            unmoved_ns(other, watch->now_ns) >= GAP_URGENT_NS) {
            coact__ready_take_all(&other->ready, out);
        }
    }
}

/* To where those that run look.  They may all have parked meanwhile, and we would
   sleep on what we have just put there: then the announcement ends our sleep. */
static void
give_back(struct coact__scheduler *scheduler, struct coact__batch *rest)
{
    if (rest->first != NULL) {
        coact__globalq_push_batch(&scheduler->global, rest);
        coact__park_announce(scheduler);
    }
}

/* Run what cannot wait for those that are busy; the rest is for them.  False:
   another has our place. */
static bool
serve_some(struct watch *watch, bool trusted_too)
{
    struct coact__worker *worker = watch->worker;
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__batch found = {0};
    struct coact__batch rest = {0};
    bool is_ours = true;
    gather(watch, trusted_too, &found);
    for (uint32_t served = 0; found.first != NULL;) {
        struct coact__runnable *r = coact__batch_pop(&found);
        bool is_trusted = trusted_too && r->rank == COACT__RANK_PROMPT;
        if (!is_ours || served == SERVE_MOST ||
            !(is_trusted || is_urgent(scheduler, r))) {
            coact__batch_append(&rest, r);
            continue;
        }
        served++;
        watch->has_served = true;
        is_ours = serve(worker, r);
        coact__ready_give_up_all(&worker->ready, &found);
    }
    give_back(scheduler, &rest);
    return is_ours;
}

/* ---- The look ---- */

/* All cores are busy.  True: we go on looking. */
static bool
stand_by(struct watch *watch, const struct sight *sight,
         enum coact__lookout_end *end)
{
    struct coact__worker *worker = watch->worker;
    struct coact__scheduler *scheduler = worker->scheduler;
    bool may_stand_in = stuck_workers(scheduler) < STAND_INS;
    bool is_long = sight->longest_ns >= STUCK_NS && sight->work_waits;
    if (is_long && may_stand_in && stand_in(worker, sight->stuck)) {
        *end = COACT__LOOKOUT_WORKS;
        return false;
    }
    watch->has_served = false;
    bool trusted_too = !may_stand_in && sight->shortest_ns >= STUCK_NS;
    if (sight->work_waits &&
        (trusted_too || (scheduler->roles.tight != 0 &&
                         sight->shortest_ns >= GAP_URGENT_NS))) {
        *end = COACT__LOOKOUT_RESTS;
        return serve_some(watch, trusted_too);
    }
    if (coact__worker_has_queued(worker)) {
        struct coact__batch rest = {0};
        coact__ready_give_up_all(&worker->ready, &rest);
        give_back(scheduler, &rest);
    }
    return true;
}

/* Fire what is due, whoever's it is: it may be stuck. */
static void
fire_timers(struct watch *watch)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        coact__worker_count(
            &watch->worker->timers_fired,
            coact__timers_run(&scheduler->workers[i].timers, watch->now_ns));
    }
    scheduler->options.look(scheduler->options.owner);
}

/* When to look next. */
static int64_t
next_look_ns(struct watch *watch, bool others_run)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    int64_t timer = coact__scheduler_next_timer_ns(scheduler);
    if (!others_run) {
        return timer;
    }
    bool all_busy =
        coact__census_awake(&scheduler->census) >= scheduler->worker_count;
    int64_t most = all_busy ? GAP_ALL_BUSY_NS : GAP_LAST_NS;
    int64_t look = watch->now_ns + watch->gap_ns;
    watch->gap_ns = watch->gap_ns * 2 < most ? watch->gap_ns * 2 : most;
    // Those that run fire timers themselves; if one is late, we are there soon.
    int64_t soonest = watch->now_ns + GAP_FIRST_NS;
    timer = timer > soonest ? timer : soonest;
    return timer < look ? timer : look;
}

/* Sleep until the next look; what others see of it first. */
static int
sleep_until(struct watch *watch, int64_t wakes_ns)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    // Relaxed: a worker that parks and reads an old value kicks in vain, or
    // leaves a sleep of at most GAP_ALL_BUSY_NS as it is.
    atomic_store_explicit(&scheduler->parking.lookout_wakes_ns, wakes_ns,
                          memory_order_relaxed);
    int64_t timeout = wakes_ns == INT64_MAX      ? INT64_MAX
                      : wakes_ns > watch->now_ns ? wakes_ns - watch->now_ns
                                                 : 0;
    int events = coact__poller_poll(&scheduler->poller, timeout);
    watch->now_ns = coact__oracle_now_ns();
    return events;
}

/* True: go on looking. */
static bool
look(struct watch *watch, int events, enum coact__lookout_end *end)
{
    struct coact__worker *worker = watch->worker;
    struct coact__scheduler *scheduler = worker->scheduler;
    struct sight sight;
    *end = COACT__LOOKOUT_WORKS;
    if (coact__census_awake(&scheduler->census) < scheduler->worker_count) {
        see(watch, &sight);
        bool has_global = coact__globalq_length(&scheduler->global) > 0;
        bool others_run = coact__census_awake(&scheduler->census) > 0;
        bool is_news =
            events > 0 || coact__worker_has_queued(worker) ||
            // Those that run come by; if they do not, it is for us.
            (has_global && (!others_run || watch->was_global)) ||
            coact__scheduler_next_timer_ns(scheduler) <= watch->now_ns;
        watch->was_global = has_global;
        if (is_news) {
            coact__trial_begin_unmeasured(worker, watch->now_ns);
            return false;
        }
        return !may_join(watch, &sight);
    }
    fire_timers(watch);
    see(watch, &sight);
    return stand_by(watch, &sight, end);
}

enum coact__lookout_end
coact__lookout_keep(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    int64_t now = coact__oracle_now_ns();
    struct watch watch = {.worker = worker,
                          .now_ns = now,
                          .gap_ns = GAP_FIRST_NS,
                          .before_ns = now,
                          .operations = coact__trial_operations(scheduler)};
    enum coact__lookout_end end = COACT__LOOKOUT_WORKS;
    while (!is_stopping(scheduler)) {
        // The census first: when it counts nobody, its acquire shows us the
        // timers of all who have left, and we may sleep until the first.
        bool others_run = coact__census_awake(&scheduler->census) > 0 ||
                          stuck_workers(scheduler) > 0;
        int events = sleep_until(&watch, next_look_ns(&watch, others_run));
        if (is_stopping(scheduler) || !look(&watch, events, &end)) {
            break;
        }
        if (watch.has_served) {
            watch.gap_ns = GAP_URGENT_NS;
        }
    }
    return end;
}
