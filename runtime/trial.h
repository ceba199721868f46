/*
 * trial.h - a second worker stays only while that pays.
 *
 * Work that is made of very many very short runs often goes slower on two cores
 * than on one: every message that crosses takes a cache line along.  Nobody can
 * tell before.  So a worker that joins others is on trial: it knows how much
 * was done before it came, measures how much is done with it, and leaves again
 * if that is not clearly more; then it waits, longer each time, before it tries
 * once more.  Longer runs are worth a core in any case.
 *
 * What is done is counted in dispatches and sends, of all workers together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRIAL_H
#define COACT_RUNTIME_TRIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coact__scheduler;
struct coact__worker;

/* What all share. */
struct coact__trials {
    _Atomic int64_t next_ns;    /* no trial before that time */
    _Atomic int64_t backoff_ns; /* how long to wait after the next failure */
    _Atomic bool
        somebody_spins; /* has no work, and hopes for some (worker.c) */
};

/* Of each worker; its own. */
struct coact__trial {
    bool is_on;
    double base; /* operations a us without us; 0: not measured */
    int64_t began_ns;
    uint64_t began_operations;
    uint32_t successes; /* one after another */
};

/* How much all workers have done, ever.  from any */
uint64_t coact__trial_operations(struct coact__scheduler *scheduler);

/* May a worker join now, since others have more than they run?  They did so
   many operations in the last `ns`.  If so it is on trial.  from lookout */
bool coact__trial_may_join(struct coact__worker *worker, int64_t now_ns,
                           uint64_t operations, int64_t ns);

/* It joins for another reason; if the work is fine-grained it leaves again soon,
   to have it measured without it. */
void coact__trial_begin_unmeasured(struct coact__worker *worker,
                                   int64_t now_ns);

/* At each look: is the worker to leave?  from the worker */
bool coact__trial_has_failed(struct coact__worker *worker, int64_t now_ns);

#endif
