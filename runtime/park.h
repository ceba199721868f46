/*
 * park.h - where workers wait for work, and who wakes them.
 *
 * Of the parked workers one is the *lookout* (lookout.h): it sleeps in the
 * poller, with the earliest timer of all as its deadline.  The others sleep on
 * a condition each.
 *
 * When the lookout goes to work somebody must take its place, or timers and
 * descriptors would wait behind a task that does not come back.  Waking a thread
 * costs microseconds, so one that parked lately looks by itself after
 * about LOOK_AGAIN, and is woken only if it has given that up because nothing
 * happened.  Where nobody is left to take the place, a thread is started.
 *
 * Threads beyond those that a quiet runtime needs end when they have been idle
 * for a second.
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
    struct coact__worker *lookout;  /* under lock */
    struct coact__worker *sleepers; /* under lock: the latest to park first */
    uint64_t departures;            /* under lock: of lookouts */
    uint32_t threads;               /* under lock: that run, or are parked */
    uint32_t serving;               /* under lock: see lookout.c */
    _Atomic uint32_t stuck;         /* written under lock: workers that are */
    _Atomic uint32_t blocked; /* the same: of these, asleep in the kernel */
    _Atomic int64_t lookout_wakes_ns;
    int64_t probation_ns; /* the lookout's; see serving.c */
    int64_t rang_ns;      /* the lookout's: a timer has called it last */
};

/* Of each worker. */
struct coact__parked {
    pthread_cond_t wake;
    struct coact__worker *next_sleeper;
    bool is_sleeping_on; /* without a time-out: it must be woken */
};

COACT_CHECKED int coact__parking_init(struct coact__parking *parking);
void coact__parking_fini(struct coact__parking *parking);
COACT_CHECKED int coact__parked_init(struct coact__parked *parked);
void coact__parked_fini(struct coact__parked *parked);

/* By a worker that found nothing to run: sleep until there may be something.
   False: its thread is to end, and is counted out. */
bool coact__park(struct coact__worker *worker);

/* The same by a thread that has just begun, and is not counted yet. */
bool coact__park_begin(struct coact__worker *worker);

/* The same by one too many, whatever there is to run. */
bool coact__park_anyway(struct coact__worker *worker);

/* After work was put into the global queue: make sure that somebody comes. */
void coact__park_announce(struct coact__scheduler *scheduler);

/* Under the lock: see to it that there is somebody to take the lookout's place
   when it goes; `leaving` of those who go are not counted anywhere yet. */
void coact__park_want_successor(struct coact__scheduler *scheduler,
                                uint32_t leaving);

/* Under the lock, by a worker: false if it was demoted, and must stay so. */
bool coact__park_is_fit(struct coact__worker *worker);

/* Wake everybody, to end.  from host */
void coact__park_wake_all(struct coact__scheduler *scheduler);

#endif
