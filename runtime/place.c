/*
 * place.c - who works in whose place.
 *
 * Under the lock of the parking: is_stuck, is_blocked, and the numbers of both.
 * A worker may come back between our look and our decision; it then finds that
 * it has been counted out, and counts itself in.
 *
 * The lookout gives up its place before it runs a task or makes a report: the
 * one may be a loop as well, and the other waits for the thread it is about.
 * Somebody must see to the rest meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/lookout_parts.h"

#include "runtime/oracle.h"

/* Take what one has queued that does not run it: there is a core for it. */
bool
coact__place_adopt(struct coact__worker *worker, struct coact__worker *hoarder)
{
    struct coact__batch all = {0};
    uint32_t count = coact__ready_take_all(&hoarder->ready, &all);
    coact__ready_put_all(&worker->ready, &all);
    return count > 0;
}

/* Under the lock, without which it cannot count itself out: it is counted, and is
   still in the run that we have seen. */
static bool
is_replaceable(struct coact__worker *other)
{
    return !coact__lookout_is_stuck(other) &&
           !coact__lookout_is_serving(other) &&
           coact__lookout_is_in(other, other->sighting.dispatches);
}

/* Go to work in the place of one that is stuck, with all that it has queued.
   False: it is back. */
bool
coact__place_stand_in(struct coact__worker *worker, struct coact__worker *stuck)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    bool sleeps = coact__lookout_is_asleep(&stuck->inquiry.last);
    pthread_mutex_lock(&parking->lock);
    bool is_needed = is_replaceable(stuck);
    if (is_needed) {
        atomic_store_explicit(&stuck->is_stuck, true, memory_order_relaxed);
        atomic_fetch_add_explicit(&parking->stuck, 1, memory_order_relaxed);
        stuck->is_blocked = sleeps;
        atomic_fetch_add_explicit(&parking->blocked, sleeps,
                                  memory_order_relaxed);
        // Behind is_stuck: who sees the one finds the other.
        atomic_store_explicit(&stuck->ready.bias.attention, true,
                              memory_order_release);
        // If there is news, it is ours to see to: we go to work.
        (void)coact__census_leave_anyway(&scheduler->census);
    }
    pthread_mutex_unlock(&parking->lock);
    if (is_needed) {
        (void)coact__place_adopt(worker, stuck);
    }
    return is_needed;
}

/* Under the lock: it is not any more. */
static bool
end_stuck(struct coact__worker *worker)
{
    struct coact__parking *parking = &worker->scheduler->parking;
    if (!coact__lookout_is_stuck(worker)) {
        return false;
    }
    atomic_store_explicit(&worker->is_stuck, false, memory_order_relaxed);
    // Release: the lookout, which has no lock, sees it as stuck or as counted.
    atomic_fetch_sub_explicit(&parking->stuck, 1, memory_order_release);
    atomic_fetch_sub_explicit(&parking->blocked, worker->is_blocked,
                              memory_order_relaxed);
    worker->is_blocked = false;
    return true;
}

void
coact__lookout_forgive(struct coact__worker *worker)
{
    (void)end_stuck(worker);
}

bool
coact__lookout_come_back(struct coact__worker *worker)
{
    struct coact__scheduler *scheduler = worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    int64_t now = coact__oracle_now_ns();
    pthread_mutex_lock(&parking->lock);
    if (coact__lookout_is_stuck(worker)) {
        coact__census_join(&scheduler->census);
    }
    bool was_stuck = end_stuck(worker);
    bool is_told = coact__inquiry_end_report(worker, now);
    bool is_fit = coact__park_is_fit(worker);
    pthread_mutex_unlock(&parking->lock);
    if (is_told) {
        coact__inquiry_tell_over(worker, now);
    }
    return is_fit && (!was_stuck || coact__census_awake(&scheduler->census) <=
                                        scheduler->worker_count);
}

bool
coact__place_leave_to_another(struct coact__worker *worker)
{
    struct coact__parking *parking = &worker->scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    bool is_possible = parking->sleepers != NULL;
    if (is_possible) {
        parking->lookout = NULL;
        parking->departures++;
        coact__park_want_successor(worker->scheduler, 0);
    }
    pthread_mutex_unlock(&parking->lock);
    return is_possible;
}

void
coact__place_step_aside(struct coact__worker *worker)
{
    struct coact__parking *parking = &worker->scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    parking->lookout = NULL;
    parking->departures++;
    parking->serving++;
    atomic_store_explicit(&worker->is_serving, true, memory_order_relaxed);
    coact__park_want_successor(worker->scheduler, 0);
    pthread_mutex_unlock(&parking->lock);
}

/* True: we have the place again; else another has it. */
bool
coact__place_step_back(struct coact__worker *worker)
{
    struct coact__parking *parking = &worker->scheduler->parking;
    int64_t now = coact__oracle_now_ns();
    pthread_mutex_lock(&parking->lock);
    atomic_store_explicit(&worker->is_serving, false, memory_order_relaxed);
    if (!end_stuck(worker)) {
        parking->serving--; // else it was done when it was found to be stuck
    }
    bool is_told = coact__inquiry_end_report(worker, now);
    bool is_ours = coact__park_is_fit(worker) && parking->lookout == NULL;
    if (is_ours) {
        parking->lookout = worker;
    }
    pthread_mutex_unlock(&parking->lock);
    if (is_told) {
        coact__inquiry_tell_over(worker, now);
    }
    return is_ours;
}

/* Some run beside those that are counted, and do not come back either. */
void
coact__place_see_to_servers(struct coact__lookout *watch)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        if (!coact__lookout_is_serving(other) ||
            coact__lookout_is_stuck(other) ||
            coact__worker_current(other) == NULL ||
            coact__lookout_unmoved_ns(other, watch->now_ns) <
                coact__lookout_hog_ns(watch)) {
            continue;
        }
        pthread_mutex_lock(&parking->lock);
        if (coact__lookout_is_serving(other)) {
            atomic_store_explicit(&other->is_stuck, true, memory_order_relaxed);
            atomic_fetch_add_explicit(&parking->stuck, 1, memory_order_relaxed);
            parking->serving--;
        }
        pthread_mutex_unlock(&parking->lock);
        (void)coact__place_adopt(watch->worker, other);
    }
}
