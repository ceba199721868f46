/*
 * lookout.c - looking after those that run.
 *
 * What is known of a worker is its number of dispatches and what runs on it.
 * One whose number has not moved is in one long run.  That may be a loop, a
 * system call, or a thread that gets no processor; to stand in for it is right
 * in all three.  How many may do so is not: threads that compute slow each other
 * down, those that sleep in the kernel do not.
 *
 *   long for      | what is done
 *   URGENT_NS     | what waits and is urgent is run here, on this thread
 *   hog_ns / SOON | the kernel is asked what the thread does, and now and then
 *                 | again.  If it sleeps there, somebody stands in at once: that
 *                 | takes no processor from anybody
 *   hog_ns / 2    | what waits and had short runs is run here as well
 *   hog_ns        | somebody stands in, if work waits; while others do so
 *                 | already, later: the run may be long because of them; and
 *                 | after HABIT times that for one who had long runs before:
 *                 | a thread more would only slow down those that are at it
 *                 | Its thread is demoted, if it has computed for so long, and
 *                 | more compute than there are cores
 *   hog_report_ns | it is reported, if the time was its own: computed, or slept
 *                 | in the kernel
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/lookout_parts.h"

#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <stddef.h>

#define GAP_FIRST_NS INT64_C(50000)
#define GAP_LAST_NS INT64_C(400000)
#define GAP_ALL_BUSY_NS INT64_C(1000000)
#define GAP_ALL_STUCK_NS INT64_C(5000000)
#define GAP_TIMERS_NS INT64_C(200000)
#define GAP_TIGHT_NS INT64_C(500000)
#define OLD_LOOK_NS INT64_C(2000000)
#define HABIT 4
#define SOON 8

/* ---- Looking at the others ---- */

/* Remind one that is busy with short runs no more, or not any more, of time. */
static void
remind(struct coact__worker *other, int64_t now)
{
    int64_t looked =
        atomic_load_explicit(&other->looked_ns, memory_order_relaxed);
    if (now - looked > OLD_LOOK_NS) {
        atomic_store_explicit(&other->ready.bias.attention, true,
                              memory_order_relaxed);
    }
}

/* Does it run one that has had long runs before, and came back from each?  What
   runs may change under our eyes; then the next look tells. */
static bool
keeps_coming_back(const struct coact__worker *other)
{
    const struct coact__task *task = coact__worker_current(other);
    return task != NULL &&
           coact__runnable_long_runs(&task->runnable) >= COACT__LONG_RUNS;
}

/* What one look at all others has told. */
struct sight {
    struct coact__worker *longest; /* the one that has been in a run longest, of
                                      those whose place may be taken */
    struct coact__worker *blocked; /* the same of those that sleep in the
                                      kernel */
    struct coact__worker *hoarder; /* does not run what it has queued */
    struct coact__worker *reported; /* is to be */
    int64_t longest_ns, blocked_ns; /* the first in the measure of one that has
                                       not come back from long runs */
    int64_t shortest_ns; /* of those that are counted; how long at least */
    bool work_waits;
    bool are_behind; /* somebody has more queued than it runs */
};

/* One that is in a run, and has been since `unmoved` ago. */
static void
see_run(struct coact__lookout *watch, struct coact__worker *other,
        int64_t unmoved, struct sight *sight)
{
    const struct coact__scheduler *scheduler = watch->worker->scheduler;
    int64_t patience =
        coact__lookout_hog_ns(watch) < scheduler->options.hog_report_ns
            ? coact__lookout_hog_ns(watch)
            : scheduler->options.hog_report_ns;
    remind(other, watch->now_ns);
    if (unmoved >= patience / SOON) {
        coact__inquiry_ask(watch, other, unmoved);
    }
    if (unmoved / (keeps_coming_back(other) ? HABIT : 1) >= patience) {
        coact__inquiry_demote(watch, other);
    }
    if (unmoved >= patience / 2) {
        if (coact__inquiry_is_to_report(watch, other, unmoved)) {
            sight->reported = other;
        }
    }
    if (coact__lookout_is_stuck(other) || coact__lookout_is_serving(other)) {
        return;
    }
    sight->shortest_ns =
        unmoved < sight->shortest_ns ? unmoved : sight->shortest_ns;
    int64_t apparent = unmoved / (keeps_coming_back(other) ? HABIT : 1);
    if (apparent > sight->longest_ns) {
        sight->longest_ns = apparent;
        sight->longest = other;
    }
    if (unmoved >= coact__lookout_hog_ns(watch) / SOON &&
        unmoved > sight->blocked_ns &&
        coact__lookout_is_asleep(&other->inquiry.last)) {
        sight->blocked_ns = unmoved;
        sight->blocked = other;
    }
}

static void
see_queue(struct coact__worker *other, int64_t unmoved, struct sight *sight)
{
    if (!coact__worker_has_queued(other)) {
        return;
    }
    sight->work_waits = true;
    if (unmoved >= OLD_LOOK_NS) {
        sight->hoarder = other;
    }
    sight->are_behind = sight->are_behind ||
                        coact__ready_length(&other->ready) > 0 ||
                        unmoved >= OLD_LOOK_NS;
}

static void
see(struct coact__lookout *watch, struct sight *sight)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    *sight = (struct sight){.shortest_ns = INT64_MAX};
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        if (other == watch->worker) {
            continue;
        }
        int64_t unmoved = coact__lookout_unmoved_ns(other, watch->now_ns);
        see_queue(other, unmoved, sight);
        if (coact__worker_current(other) != NULL) {
            see_run(watch, other, unmoved, sight);
        }
    }
    bool has_global = coact__globalq_length(&scheduler->global) > 0;
    // Those that run come by; if they do not, or have too much, it is for us.
    sight->are_behind = sight->are_behind || has_global;
    sight->work_waits = sight->work_waits || has_global ||
                        coact__worker_has_queued(watch->worker);
}

/* ---- Joining ---- */

/* Others run, and there are cores left: is there enough for us too? */
static bool
may_join(struct coact__lookout *watch, const struct sight *sight)
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
    return joins && (coact__globalq_length(&scheduler->global) > 0 ||
                     coact__worker_steal_any(watch->worker));
}

/* ---- All cores are busy ---- */

/* Is there a thread that keeps the lookout when we go? */
static bool
has_successor(struct coact__scheduler *scheduler)
{
    struct coact__parking *parking = &scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    bool has =
        parking->sleepers != NULL || parking->threads < scheduler->worker_slots;
    pthread_mutex_unlock(&parking->lock);
    return has;
}

/* Whose place we take; NULL: nobody's.  Who runs beside others that stand in
   takes longer for the same work, and is given the time. */
static struct coact__worker *
choose_stuck(struct coact__lookout *watch, const struct sight *sight)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    uint32_t surplus = coact__lookout_surplus(scheduler);
    int64_t patience = coact__lookout_hog_ns(watch);
    if (surplus > 0) {
        patience = 2 * patience * (scheduler->worker_count + surplus) /
                   scheduler->worker_count;
    }
    struct coact__worker *stuck = sight->blocked != NULL ? sight->blocked
                                  : surplus < scheduler->options.stand_ins &&
                                          sight->longest_ns >= patience
                                      ? sight->longest
                                      : NULL;
    return sight->work_waits && stuck != NULL && has_successor(scheduler)
               ? stuck
               : NULL;
}

/* All cores are busy.  True: we go on looking. */
static bool
stand_by(struct coact__lookout *watch, const struct sight *sight,
         enum coact__lookout_end *end)
{
    struct coact__worker *worker = watch->worker;
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__worker *stuck = choose_stuck(watch, sight);
    if (stuck != NULL && coact__place_stand_in(worker, stuck)) {
        *end = COACT__LOOKOUT_WORKS;
        return false;
    }
    bool at_limit =
        coact__lookout_surplus(scheduler) >= scheduler->options.stand_ins;
    bool trusted_too = sight->shortest_ns >= coact__lookout_hog_ns(watch) / 2;
    bool has_urgent =
        scheduler->roles.tight != 0 && sight->shortest_ns >= COACT__URGENT_NS;
    if (sight->work_waits && (trusted_too || has_urgent)) {
        *end = COACT__LOOKOUT_RESTS;
        bool all = sight->shortest_ns >= coact__lookout_hog_ns(watch);
        return coact__serving_some(watch, trusted_too, all) &&
               (!at_limit || !all || coact__serving_one_patient(watch));
    }
    coact__serving_hand_out_own(worker);
    return true;
}

/* Fire what is due, whoever's it is: it may be stuck. */
static void
fire_timers(struct coact__lookout *watch)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t fired =
            coact__timers_run(&scheduler->workers[i].timers, watch->now_ns);
        coact__worker_count(&watch->worker->timers_fired, fired);
        if (fired > 0) {
            scheduler->parking.rang_ns = watch->now_ns;
        }
    }
    scheduler->options.look(scheduler->options.owner);
}

/* When to look next. */
static int64_t
next_look_ns(struct coact__lookout *watch, bool others_run)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    // One timer is met exactly.  Of a crowd, each would wake us for the sake of a
    // few: those that come close together wait for each other.
    int64_t together = scheduler->parking.rang_ns + GAP_TIMERS_NS;
    int64_t timer = coact__scheduler_next_timer_ns(scheduler);
    timer = timer > together ? timer : together;
    if (!others_run) {
        return timer;
    }
    bool all_busy =
        coact__census_awake(&scheduler->census) >= scheduler->worker_count;
    int64_t most = all_busy ? GAP_ALL_BUSY_NS
                   : coact__census_awake(&scheduler->census) > 0
                       ? GAP_LAST_NS
                       : GAP_ALL_STUCK_NS;
    bool others_compute = coact__census_awake(&scheduler->census) > 0 ||
                          coact__lookout_surplus(scheduler) > 0;
    if (scheduler->roles.tight != 0 && others_compute && most > GAP_TIGHT_NS) {
        most = GAP_TIGHT_NS; // one with a target may be behind those that run
    }
    int64_t look = watch->now_ns + watch->gap_ns;
    watch->gap_ns = watch->gap_ns * 2 < most ? watch->gap_ns * 2 : most;
    // Those that run fire timers themselves; if one is late, we are there soon.
    int64_t soonest = watch->now_ns + GAP_FIRST_NS;
    timer = timer > soonest ? timer : soonest;
    return timer < look ? timer : look;
}

/* Sleep until the next look; what others see of it first. */
static int
sleep_until(struct coact__lookout *watch, int64_t wakes_ns)
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

/* Some cores have nothing to do.  True: we go on looking. */
static bool
look_for_work(struct coact__lookout *watch, const struct sight *sight,
              int events)
{
    struct coact__worker *worker = watch->worker;
    struct coact__scheduler *scheduler = worker->scheduler;
    bool has_global = coact__globalq_length(&scheduler->global) > 0;
    bool others_run = coact__census_awake(&scheduler->census) > 0;
    bool rings = coact__scheduler_next_timer_ns(scheduler) <= watch->now_ns;
    if (rings) {
        scheduler->parking.rang_ns = watch->now_ns;
    }
    bool is_news =
        events > 0 || coact__worker_has_queued(worker) || rings ||
        (has_global && !others_run) ||
        (sight->hoarder != NULL && coact__place_adopt(worker, sight->hoarder));
    if (is_news) {
        coact__trial_begin_unmeasured(worker, watch->now_ns);
        return false;
    }
    return !may_join(watch, sight);
}

/* True: go on looking. */
static bool
look(struct coact__lookout *watch, int events, enum coact__lookout_end *end)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    bool all_busy =
        coact__census_awake(&scheduler->census) >= scheduler->worker_count;
    struct sight sight;
    watch->has_served = false;
    *end = COACT__LOOKOUT_WORKS;
    if (all_busy) {
        fire_timers(watch);
    }
    see(watch, &sight);
    coact__place_see_to_servers(watch);
    bool goes_on = all_busy ? stand_by(watch, &sight, end)
                            : look_for_work(watch, &sight, events);
    if (goes_on && sight.reported != NULL && scheduler->options.stuck != NULL) {
        *end = COACT__LOOKOUT_RESTS;
        goes_on = coact__inquiry_report(watch, sight.reported);
    }
    return goes_on;
}

enum coact__lookout_end
coact__lookout_keep(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    int64_t now = coact__oracle_now_ns();
    struct coact__lookout watch = {.worker = worker,
                                   .now_ns = now,
                                   .gap_ns = GAP_FIRST_NS,
                                   .before_ns = now,
                                   .operations =
                                       coact__trial_operations(scheduler)};
    enum coact__lookout_end end = COACT__LOOKOUT_WORKS;
    while (!coact__scheduler_is_stopping(scheduler)) {
        // Nobody demotes who keeps the lookout, so we may ask without the lock.
        if (COACT__UNLIKELY(worker->is_demoted) &&
            coact__place_leave_to_another(worker)) {
            return COACT__LOOKOUT_RESTS;
        }
        // The census first: when it counts nobody, its acquire shows us the
        // timers of all who have left, and we may sleep until the first.
        bool others_run = coact__lookout_stuck(scheduler) > 0 ||
                          coact__census_awake(&scheduler->census) > 0;
        int events = sleep_until(&watch, next_look_ns(&watch, others_run));
        if (coact__scheduler_is_stopping(scheduler) ||
            !look(&watch, events, &end)) {
            break;
        }
        if (watch.has_served) {
            watch.gap_ns = COACT__URGENT_NS;
        }
    }
    return end;
}
