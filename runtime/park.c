/*
 * park.c - the lookout, the sleepers, and the way between them.
 *
 *   state    | becomes              | when
 *   awake    | lookout or sleeper   | nothing to run; counted out by the census
 *   lookout  | awake                | lookout.c says so
 *   sleeper  | lookout              | it looks, and there is none
 *   sleeper  | ended                | the runtime stops, or has threads to spare
 *
 * The bookkeeping is under one mutex: it is off every hot path.  What strangers
 * need without it is the census word (census.h): who brings work when nobody is
 * awake kicks the poller, where the lookout is, or where the worker that has
 * just been counted out is about to be; a kick is not lost, the poller keeps it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/park.h"

#include "runtime/demote.h"
#include "runtime/lookout.h"
#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define LOOK_AGAIN_NS INT64_C(5000000)
#define SPARE_ENDS_NS INT64_C(1000000000)

int
coact__parking_init(struct coact__parking *parking)
{
    *parking = (struct coact__parking){0};
    atomic_init(&parking->lookout_wakes_ns, INT64_MAX);
    return -pthread_mutex_init(&parking->lock, NULL);
}

void
coact__parking_fini(struct coact__parking *parking)
{
    pthread_mutex_destroy(&parking->lock);
}

int
coact__parked_init(struct coact__parked *parked)
{
    *parked = (struct coact__parked){0};
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&parked->wake, &attr);
        pthread_condattr_destroy(&attr);
    }
    return -rc;
}

void
coact__parked_fini(struct coact__parked *parked)
{
    pthread_cond_destroy(&parked->wake);
}

/* Those that run tasks, and a lookout. */
static uint32_t
threads_at_rest(const struct coact__scheduler *scheduler)
{
    return scheduler->worker_count + 1;
}

/* Under the lock: is a lookout missed at once?  Some do not come back, or may be
   needed to be served beside them. */
static bool
is_missed(const struct coact__scheduler *scheduler)
{
    const struct coact__parking *parking = &scheduler->parking;
    return scheduler->roles.tight != 0 || parking->serving > 0 ||
           atomic_load_explicit(&parking->stuck, memory_order_relaxed) > 0;
}

/* Under the lock: one of the sleepers is to look.  One that looks soon by itself is
   not called, where the lookout that goes is likely to be back before. */
static void
wake_a_sleeper(struct coact__scheduler *scheduler)
{
    struct coact__worker *first = scheduler->parking.sleepers;
    if (first->parked.is_sleeping_on || is_missed(scheduler)) {
        pthread_cond_signal(&first->parked.wake);
    }
}

/* Those that are needed now: those that run tasks, a lookout, and one for each
   that is away. */
static uint32_t
threads_needed(const struct coact__scheduler *scheduler)
{
    const struct coact__parking *parking = &scheduler->parking;
    return threads_at_rest(scheduler) + parking->serving +
           atomic_load_explicit(&parking->stuck, memory_order_relaxed);
}

static void
unlist(struct coact__parking *parking, struct coact__worker *worker)
{
    struct coact__worker **link = &parking->sleepers;
    while (*link != worker) {
        link = &(*link)->parked.next_sleeper;
    }
    *link = worker->parked.next_sleeper;
}

/* True: the time is up. */
static bool
sleep_for(struct coact__worker *worker, int64_t ns)
{
    struct coact__parking *parking = &worker->scheduler->parking;
    worker->parked.is_sleeping_on = ns > LOOK_AGAIN_NS;
    int rc = 0;
    if (ns == INT64_MAX) {
        pthread_cond_wait(&worker->parked.wake, &parking->lock);
    } else {
        // Those that parked at one time must not all look at one time: then one
        // a LOOK_AGAIN could take the place of a lookout that has joined.
        int64_t drawn = ns == LOOK_AGAIN_NS
                            ? ns / 2 + coact__oracle_choose((uint32_t)ns)
                            : ns;
        int64_t until = coact__oracle_now_ns() + drawn;
        struct timespec at = {until / 1000000000, until % 1000000000};
        rc = pthread_cond_timedwait(&worker->parked.wake, &parking->lock, &at);
    }
    worker->parked.is_sleeping_on = false;
    return rc == ETIMEDOUT;
}

/* Under the lock: sleep until there is no lookout, or the end.  False: the
   thread is one too many. */
static bool
sleep_beside_lookout(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    worker->parked.next_sleeper = parking->sleepers;
    parking->sleepers = worker;
    if (parking->lookout->is_demoted) {
        coact__poller_kick(&scheduler->poller); // we are the better one
    }
    int64_t ns = LOOK_AGAIN_NS;
    bool is_wanted = true;
    while (is_wanted && parking->lookout != NULL &&
           !coact__scheduler_is_stopping(scheduler)) {
        uint64_t departures = parking->departures;
        bool is_over = sleep_for(worker, ns);
        // The others are not the next to be called.
        bool is_quiet =
            departures == parking->departures || parking->sleepers != worker;
        bool is_spare = parking->threads > threads_needed(scheduler);
        is_wanted = !(is_quiet && is_spare && is_over && ns == SPARE_ENDS_NS);
        ns = !is_quiet ? LOOK_AGAIN_NS : is_spare ? SPARE_ENDS_NS : INT64_MAX;
    }
    unlist(parking, worker);
    return is_wanted;
}

/* Our timers may be earlier than what the lookout sleeps for. */
static void
tell_lookout(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    if (coact__timers_next_ns(&worker->timers) <
        atomic_load_explicit(&scheduler->parking.lookout_wakes_ns,
                             memory_order_relaxed)) {
        coact__poller_kick(&scheduler->poller);
    }
}

static struct coact__worker *
idle_slot(struct coact__scheduler *scheduler)
{
    for (uint32_t i = 0; i < scheduler->worker_slots; i++) {
        if (scheduler->workers[i].thread_state != COACT__THREAD_RUNS) {
            return &scheduler->workers[i];
        }
    }
    return NULL;
}

/* Under the lock: is everybody in a run, or about to be?  Whoever is not counted
   there is parked, or on his way to it. */
static bool
are_all_away(struct coact__scheduler *scheduler, uint32_t leaving)
{
    const struct coact__parking *parking = &scheduler->parking;
    uint32_t away =
        coact__census_awake(&scheduler->census) + parking->serving +
        atomic_load_explicit(&parking->stuck, memory_order_relaxed) + leaving;
    return away >= parking->threads;
}

void
coact__park_want_successor(struct coact__scheduler *scheduler, uint32_t leaving)
{
    struct coact__parking *parking = &scheduler->parking;
    if (parking->sleepers != NULL) {
        wake_a_sleeper(scheduler);
        return;
    }
    if (coact__scheduler_is_stopping(scheduler) ||
        !are_all_away(scheduler, leaving)) {
        return;
    }
    struct coact__worker *idle = idle_slot(scheduler);
    if (idle != NULL && coact__worker_start(idle) < 0) {
        return; // nobody keeps the lookout until somebody parks
    }
}

/* Under the lock, which is given up meanwhile. */
static enum coact__lookout_end
be_lookout(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    parking->lookout = worker;
    pthread_mutex_unlock(&parking->lock);
    bool is_brief =
        scheduler->roles.tight != 0; // for those it has to be prompt
    if (is_brief) {
        coact__be_brief(true);
    }
    enum coact__lookout_end end = coact__lookout_keep(worker);
    if (is_brief) {
        coact__be_brief(false);
    }
    pthread_mutex_lock(&parking->lock);
    if (end == COACT__LOOKOUT_WORKS) {
        parking->lookout = NULL;
        parking->departures++;
        coact__park_want_successor(scheduler, 1);
    }
    return end;
}

bool
coact__park_is_fit(struct coact__worker *worker)
{
    if (worker->is_demoted && coact__promote_self(worker->policy_before)) {
        worker->is_demoted = false;
    }
    return !worker->is_demoted;
}

/* Counted out; under the lock, which is given up.  False: the thread is one too
   many. */
static bool
park(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    coact__worker_count(&worker->parks, 1);
    bool is_wanted = true;
    enum coact__lookout_end end = COACT__LOOKOUT_RESTS;
    while (is_wanted && end == COACT__LOOKOUT_RESTS &&
           !coact__scheduler_is_stopping(scheduler)) {
        if (!coact__park_is_fit(worker) &&
            (parking->lookout != NULL || parking->sleepers != NULL)) {
            is_wanted = false; // another takes its place when there is need
        } else if (parking->lookout != NULL) {
            tell_lookout(worker);
            is_wanted = sleep_beside_lookout(worker);
        } else {
            end = be_lookout(worker);
        }
    }
    if (is_wanted) {
        // Under the lock: who keeps the lookout after us must find us counted,
        // or it sleeps while we run.
        coact__census_join(&scheduler->census);
        atomic_store_explicit(&worker->looked_ns, coact__oracle_now_ns(),
                              memory_order_relaxed);
    } else {
        parking->threads--;
        worker->thread_state = COACT__THREAD_ENDED;
    }
    pthread_mutex_unlock(&parking->lock);
    return is_wanted;
}

static bool
is_stuck(const struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->is_stuck, memory_order_relaxed);
}

bool
coact__park(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    pthread_mutex_lock(&scheduler->parking.lock);
    // One that somebody has counted out just now comes back first.
    if (!is_stuck(worker) && coact__census_leave(&scheduler->census)) {
        return park(worker);
    }
    pthread_mutex_unlock(&scheduler->parking.lock);
    return true;
}

bool
coact__park_begin(struct coact__worker *worker)
{
    pthread_mutex_lock(&worker->scheduler->parking.lock);
    return park(worker);
}

bool
coact__park_anyway(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    pthread_mutex_lock(&scheduler->parking.lock);
    if (is_stuck(worker)) {
        // Somebody has counted us out since we came back.
        coact__lookout_forgive(worker);
    } else if (coact__census_leave_anyway(&scheduler->census)) {
        coact__poller_kick(&scheduler->poller);
    }
    return park(worker);
}

void
coact__park_announce(struct coact__scheduler *scheduler)
{
    if (coact__census_announce_from_any(&scheduler->census)) {
        coact__poller_kick(&scheduler->poller);
    }
}

void
coact__park_wake_all(struct coact__scheduler *scheduler)
{
    struct coact__parking *parking = &scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    for (struct coact__worker *w = parking->sleepers; w != NULL;
         w = w->parked.next_sleeper) {
        pthread_cond_signal(&w->parked.wake);
    }
    pthread_mutex_unlock(&parking->lock);
    coact__poller_kick(&scheduler->poller);
}
