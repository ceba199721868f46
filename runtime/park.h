/*
 * park.h - where workers wait for work, and who wakes them.
 *
 * Of the parked workers one is the *holder*: it sleeps in the poller, with the
 * earliest timer of all as its deadline.  While others run it does not sleep
 * that long: every 50 to 400 us it looks whether somebody has had more queued
 * than he runs in two looks, and joins then.  When nobody runs it sleeps until
 * there is something to do, and an idle runtime makes no system call.
 *
 * The others sleep on a condition each.  When the holder goes to work somebody
 * must take its place, or timers and descriptors would wait behind an actor
 * that does not come back.  Waking a thread costs microseconds, so one that
 * parked lately looks by itself after LOOK_AGAIN, and is woken only if it has
 * given that up because nothing happened.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_PARK_H
#define COACT_RUNTIME_PARK_H

#include "runtime/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coact__scheduler;
struct coact__worker;

/* What all share. */
struct coact__parking {
    pthread_mutex_t lock;
    struct coact__worker *holder;   /* under lock */
    struct coact__worker *sleepers; /* under lock: the latest to park first */
    uint64_t departures;            /* under lock: of holders */
    _Atomic int64_t holder_wakes_ns;
};

/* Of each worker. */
struct coact__parked {
    pthread_cond_t wake;
    struct coact__worker *next_sleeper;
    bool is_sleeping;    /* on `wake`, on the list of sleepers */
    bool is_sleeping_on; /* without a time-out: it must be woken */
};

COACT_CHECKED int coact__parking_init(struct coact__parking *parking);
void coact__parking_fini(struct coact__parking *parking);
COACT_CHECKED int coact__parked_init(struct coact__parked *parked);
void coact__parked_fini(struct coact__parked *parked);

/* By a worker that found nothing to run: sleep until there may be something. */
void coact__park(struct coact__worker *worker);

/* After work was put into the global queue: make sure that somebody comes. */
void coact__park_announce(struct coact__scheduler *scheduler);

/* Wake everybody, to end.  from host */
void coact__park_wake_all(struct coact__scheduler *scheduler);

#endif
