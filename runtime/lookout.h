/*
 * lookout.h - the one parked worker that watches those that run.
 *
 * While nobody runs it sleeps until there is something to do, and an idle runtime
 * makes no system call.  While others run it looks now and then, and does what
 * they cannot:
 *   they are fewer than the cores, and have more than they run: it joins them
 *     (trial.h tells how long)
 *   one does not come back from its task, and work waits: it takes all that is
 *     queued there and goes to work in its place.  The stuck one is not counted
 *     any more; when it comes back it is one too many and parks
 *   all are in long runs, and a task with a target waits: it runs that task
 *     itself, on this thread, and keeps the lookout again
 *
 * A wrong guess costs one thread for one run, never correctness: nothing is
 * taken out of the hands of the stuck one but what others may take anyway.
 *
 * The threads that compute in place of others are few: each one more makes all
 * slower.  At the limit the lookout still runs tasks whose last runs were short,
 * so that no number of loops can lock out those that behave.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_LOOKOUT_H
#define COACT_RUNTIME_LOOKOUT_H

#include "runtime/threadstate.h"

#include <stdbool.h>
#include <stdint.h>

struct coact__task;
struct coact__worker;

#define COACT__STAND_INS 8u
#define COACT__HOG_NS INT64_C(15000000)
#define COACT__HOG_REPORT_NS INT64_C(100000000)

/* What the kernel has told of the run that a worker is in. */
struct coact__inquiry {
    uint64_t dispatches; /* which run */
    int64_t next_ns;     /* not before that is it asked again */
    int64_t first_ns, last_ns;
    int64_t unseen_ns; /* how old the run was when it was first asked */
    struct coact__threadstate first, last;
};

/* How far the report of a run has come. */
enum coact__report {
    COACT__REPORT_NONE,
    COACT__REPORT_BEING_MADE,
    COACT__REPORT_MADE
};

/* A run that does not end. */
struct coact__stuck_run {
    struct coact__worker *worker;
    struct coact__task *task; /* that which ran at the last look */
    uint64_t dispatches;      /* of the worker, in that run */
    int64_t since_ns, now_ns;
    int64_t computed_ns; /* -1: unknown */
    bool sleeps;         /* in the kernel, for the larger part */
    int32_t call;        /* then: the system call, as threadstate.h has it */
};

/* What the lookout has found for itself. */
enum coact__lookout_end {
    COACT__LOOKOUT_WORKS, /* it goes to work */
    COACT__LOOKOUT_RESTS  /* another has taken the place meanwhile */
};

/* Keep the lookout.  from the worker that has the place, counted out */
enum coact__lookout_end coact__lookout_keep(struct coact__worker *worker);

/* By a worker that was asked to look up: true, it may go on; false, somebody
   works in its place and it is one too many. */
bool coact__lookout_come_back(struct coact__worker *worker);

/* Under the lock of the parking: it is not stuck any more, and is not counted. */
void coact__lookout_forgive(struct coact__worker *worker);

#endif
