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

#include <stdbool.h>

struct coact__worker;

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

/* By a worker that is about to count itself out: from now on nobody else does,
   and if somebody has, it is counted again. */
void coact__lookout_let_go(struct coact__worker *worker);

#endif
