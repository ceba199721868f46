/*
 * lookout_parts.h - what the parts of the lookout share.
 *
 * lookout.c looks and decides; place.c is who stands where; serving.c is what the
 * lookout runs itself; inquiry.c asks the kernel what a thread does, and reports one
 * that does not come back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_LOOKOUT_PARTS_H
#define COACT_RUNTIME_LOOKOUT_PARTS_H

#include "runtime/lookout.h"
#include "runtime/scheduler.h"

/* A run that is as long is one beside which the urgent is run. */
#define COACT__URGENT_NS INT64_C(100000)

/* What the lookout remembers from one look to the next. */
struct coact__lookout {
    struct coact__worker *worker; /* ourselves */
    int64_t now_ns;
    int64_t gap_ns; /* until the next look, while others run */
    int64_t before_ns;
    uint64_t operations; /* at before_ns */
    bool were_behind;
    bool has_served;
};

static inline bool
coact__lookout_is_stuck(struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->is_stuck, memory_order_relaxed);
}

static inline bool
coact__lookout_is_serving(struct coact__worker *worker)
{
    return atomic_load_explicit(&worker->is_serving, memory_order_relaxed);
}

static inline uint32_t
coact__lookout_stuck(struct coact__scheduler *scheduler)
{
    // Acquire: who is not stuck any more is counted in the census.
    return atomic_load_explicit(&scheduler->parking.stuck,
                                memory_order_acquire);
}

static inline int64_t
coact__lookout_hog_ns(const struct coact__lookout *watch)
{
    return watch->worker->scheduler->options.hog_ns;
}

/* Those that are stuck and compute; the lock is held, or it is a guess. */
static inline uint32_t
coact__lookout_surplus(struct coact__scheduler *scheduler)
{
    struct coact__parking *parking = &scheduler->parking;
    uint32_t stuck = coact__lookout_stuck(scheduler);
    uint32_t blocked =
        atomic_load_explicit(&parking->blocked, memory_order_relaxed);
    return stuck > blocked ? stuck - blocked : 0;
}

static inline bool
coact__lookout_is_asleep(const struct coact__threadstate *state)
{
    return state->state == 'S' || state->state == 'D';
}

/* How long a worker has been in the run that it is in; 0 if it is in none. */
static inline int64_t
coact__lookout_unmoved_ns(struct coact__worker *other, int64_t now)
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

/* Under the lock, without which it does not park: is it still in that run? */
static inline bool
coact__lookout_is_in(struct coact__worker *other, uint64_t dispatches)
{
    return coact__worker_current(other) != NULL &&
           atomic_load_explicit(&other->dispatches, memory_order_relaxed) ==
               dispatches;
}

/* ---- place.c: who stands where ---- */

/* Take what one has queued that does not run it: there is a core for it. */
bool coact__place_adopt(struct coact__worker *worker,
                        struct coact__worker *hoarder);

/* Go to work in the place of one that is stuck, with all that it has queued.
   False: it is back. */
bool coact__place_stand_in(struct coact__worker *worker,
                           struct coact__worker *stuck);

/* Give the place up if another can have it.  False: there is nobody. */
bool coact__place_leave_to_another(struct coact__worker *worker);
void coact__place_step_aside(struct coact__worker *worker);

/* True: we have the place again; else another has it. */
bool coact__place_step_back(struct coact__worker *worker);

/* Some run beside those that are counted, and do not come back either. */
void coact__place_see_to_servers(struct coact__lookout *watch);

/* ---- serving.c: what is run beside those that are busy ---- */

/* Run what cannot wait for those that are busy: what is urgent, and where
   trusted_too what had short runs.  `all`: those in a long run have queued what
   nobody would come to, urgent or not.  The rest is put where all find it.  False:
   another has our place. */
bool coact__serving_some(struct coact__lookout *watch, bool trusted_too,
                         bool all);

/* All threads are in loops that do not end, and there are as many as may be: let
   one more of the patient run.  False: another has our place. */
bool coact__serving_one_patient(struct coact__lookout *watch);

/* What our look has made ready is for those that are busy, too. */
void coact__serving_hand_out_own(struct coact__worker *worker);

/* ---- inquiry.c: what a thread does ---- */

/* Ask the kernel, the more rarely the longer the run. */
void coact__inquiry_ask(struct coact__lookout *watch,
                        struct coact__worker *other, int64_t unmoved);

/* Demote one that computes without an end, beside more than there are cores. */
void coact__inquiry_demote(struct coact__lookout *watch,
                           struct coact__worker *other);

/* Has it been at it for so long by its own doing?  What came before the first
   question is taken for its own, up to a quarter. */
bool coact__inquiry_is_to_report(const struct coact__lookout *watch,
                                 const struct coact__worker *other,
                                 int64_t unmoved);

/* One does not come back; say so.  False: another has our place. */
bool coact__inquiry_report(struct coact__lookout *watch,
                           struct coact__worker *other);

/* Under the lock.  True: its report is made, and its end is to be told. */
bool coact__inquiry_end_report(struct coact__worker *worker, int64_t now_ns);

void coact__inquiry_tell_over(struct coact__worker *worker, int64_t now_ns);

#endif
