/*
 * park.c - the holder, the sleepers, and the way between them.
 *
 *   state    | becomes              | when
 *   awake    | holder or sleeper    | nothing to run; counted out by the census
 *   holder   | awake                | an event, a timer, news, others have too much
 *   sleeper  | holder               | it looks, and there is none
 *   sleeper  | awake                | only to end
 *
 * The bookkeeping is under one mutex: it is off every hot path.  What strangers
 * need without it is the census word (census.h): who brings work when nobody is
 * awake kicks the poller, where the holder is, or where the worker that has just
 * been counted out is about to be; a kick is not lost, the poller keeps it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/park.h"

#include "runtime/oracle.h"
#include "runtime/scheduler.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define LOOK_FIRST_NS 50000
#define LOOK_LAST_NS 400000
#define LOOK_AGAIN_NS 5000000

int
coact__parking_init(struct coact__parking *parking)
{
    parking->holder = NULL;
    parking->sleepers = NULL;
    parking->departures = 0;
    atomic_init(&parking->holder_wakes_ns, INT64_MAX);
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

static bool
is_stopping(struct coact__scheduler *scheduler)
{
    return atomic_load_explicit(&scheduler->stopping, memory_order_acquire);
}

/* The earliest timer of all workers. */
static int64_t
next_timer_ns(struct coact__scheduler *scheduler)
{
    int64_t first = INT64_MAX;
    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        int64_t next = coact__timers_next_ns(&scheduler->workers[i].timers);
        first = next < first ? next : first;
    }
    return first;
}

static bool
others_are_behind(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    bool is_behind = false;
    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        is_behind =
            (other != worker && coact__worker_is_behind(other)) || is_behind;
    }
    return is_behind;
}

/* Sleep in the poller until there is something for us. */
static void
hold(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    int64_t look_ns = LOOK_FIRST_NS;
    bool were_behind = false;
    while (!is_stopping(scheduler)) {
        int64_t now = coact__oracle_now_ns();
        // The census first: when it counts nobody, its acquire shows us the
        // timers of all who have left, and we may sleep until the first.
        bool others_run = coact__census_awake(&scheduler->census) > 0;
        int64_t wakes = next_timer_ns(scheduler);
        if (others_run) {
            wakes = wakes < now + look_ns ? wakes : now + look_ns;
            look_ns = look_ns < LOOK_LAST_NS ? look_ns * 2 : LOOK_LAST_NS;
        }
        // Relaxed: a worker that parks and reads an old value kicks in vain,
        // or leaves a sleep of at most LOOK_LAST_NS as it is.
        atomic_store_explicit(&parking->holder_wakes_ns, wakes,
                              memory_order_relaxed);
        int64_t timeout = wakes == INT64_MAX ? INT64_MAX
                          : wakes > now      ? wakes - now
                                             : 0;
        if (coact__poller_poll(&scheduler->poller, timeout) > 0 ||
            coact__globalq_length(&scheduler->global) > 0 ||
            coact__worker_has_queued(worker) ||
            next_timer_ns(scheduler) <= coact__oracle_now_ns()) {
            return;
        }
        bool are_behind = others_are_behind(worker);
        if (are_behind && were_behind) {
            return;
        }
        were_behind = are_behind;
    }
}

/* Under the lock: one of the sleepers is to look. */
static void
wake_a_sleeper(struct coact__parking *parking)
{
    struct coact__worker *first = parking->sleepers;
    if (first != NULL && first->parked.is_sleeping_on) {
        pthread_cond_signal(&first->parked.wake);
    }
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

static void
sleep_a_while(struct coact__worker *worker, bool for_long)
{
    struct coact__parking *parking = &worker->scheduler->parking;
    worker->parked.is_sleeping_on = for_long;
    if (for_long) {
        pthread_cond_wait(&worker->parked.wake, &parking->lock);
    } else {
        int64_t until = coact__oracle_now_ns() + LOOK_AGAIN_NS;
        struct timespec at = {until / 1000000000, until % 1000000000};
        pthread_cond_timedwait(&worker->parked.wake, &parking->lock, &at);
    }
    worker->parked.is_sleeping_on = false;
}

/* Under the lock: sleep until there is no holder, or the end. */
static void
sleep_beside_holder(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    worker->parked.next_sleeper = parking->sleepers;
    parking->sleepers = worker;
    bool for_long = false;
    while (parking->holder != NULL && !is_stopping(scheduler)) {
        uint64_t departures = parking->departures;
        sleep_a_while(worker, for_long);
        for_long = departures == parking->departures &&
                   coact__census_awake(&scheduler->census) == 0;
    }
    unlist(parking, worker);
}

/* Our timers may be earlier than what the holder sleeps for. */
static void
tell_holder(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    if (coact__timers_next_ns(&worker->timers) <
        atomic_load_explicit(&scheduler->parking.holder_wakes_ns,
                             memory_order_relaxed)) {
        coact__poller_kick(&scheduler->poller);
    }
}

void
coact__park(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    if (!coact__census_leave(&scheduler->census)) {
        return;
    }
    atomic_fetch_add_explicit(&worker->parks, 1, memory_order_relaxed);
    pthread_mutex_lock(&parking->lock);
    if (parking->holder != NULL) {
        tell_holder(worker);
        sleep_beside_holder(worker);
    }
    if (!is_stopping(scheduler)) {
        parking->holder = worker;
        pthread_mutex_unlock(&parking->lock);
        hold(worker);
        pthread_mutex_lock(&parking->lock);
        parking->holder = NULL;
        parking->departures++;
        wake_a_sleeper(parking);
    }
    pthread_mutex_unlock(&parking->lock);
    coact__census_join(&scheduler->census);
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
