/*
 * trial.c - measuring whether a worker is of use.
 *
 * Operations are fine-grained where all workers do more than FINE of them a us.
 * Then a worker on trial must raise the rate by GAIN, shared among those who
 * were there before, in each stretch of STRETCH_NS; after SUCCESSES stretches it
 * leaves to have the base measured anew, and may come back at once.
 *
 * The figures are those of measurements on two cores: see docs/performance.md.
 *
 * next_ns and backoff_ns are relaxed: they only make trials rare.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/trial.h"

#include "runtime/scheduler.h"

#define FINE 1.0
#define GAIN 0.15
#define STRETCH_NS INT64_C(1000000)
#define MEASURE_NS INT64_C(200000)
#define SUCCESSES 32
#define BACKOFF_FIRST_NS INT64_C(5000000)
#define BACKOFF_LAST_NS INT64_C(200000000)

uint64_t
coact__trial_operations(struct coact__scheduler *scheduler)
{
    uint64_t sum = 0;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *worker = &scheduler->workers[i];
        sum += atomic_load_explicit(&worker->dispatches, memory_order_relaxed) +
               atomic_load_explicit(&worker->sends, memory_order_relaxed);
    }
    return sum;
}

static double
rate_of(uint64_t operations, int64_t ns)
{
    return ns > 0 ? (double)operations * 1000.0 / (double)ns : 0;
}

static void
begin(struct coact__worker *worker, int64_t now_ns, double base)
{
    worker->trial = (struct coact__trial){
        .is_on = true,
        .base = base,
        .began_ns = now_ns,
        .began_operations = coact__trial_operations(worker->scheduler)};
}

void
coact__trial_begin_unmeasured(struct coact__worker *worker, int64_t now_ns)
{
    begin(worker, now_ns, 0);
}

bool
coact__trial_may_join(struct coact__worker *worker, int64_t now_ns,
                      uint64_t operations, int64_t ns)
{
    struct coact__trials *trials = &worker->scheduler->trials;
    double rate = rate_of(operations, ns);
    if (rate < FINE) {
        begin(worker, now_ns, 0);
        return true;
    }
    if (ns < MEASURE_NS ||
        now_ns < atomic_load_explicit(&trials->next_ns, memory_order_relaxed)) {
        return false;
    }
    begin(worker, now_ns, rate);
    return true;
}

/* Wait before the next trial, the longer the more have failed. */
static void
back_off(struct coact__trials *trials, int64_t now_ns)
{
    int64_t wait =
        atomic_load_explicit(&trials->backoff_ns, memory_order_relaxed);
    wait = wait < BACKOFF_FIRST_NS ? BACKOFF_FIRST_NS : wait;
    atomic_store_explicit(&trials->next_ns, now_ns + wait,
                          memory_order_relaxed);
    atomic_store_explicit(&trials->backoff_ns,
                          wait < BACKOFF_LAST_NS / 2 ? 2 * wait
                                                     : BACKOFF_LAST_NS,
                          memory_order_relaxed);
}

bool
coact__trial_has_failed(struct coact__worker *worker, int64_t now_ns)
{
    struct coact__trial *trial = &worker->trial;
    struct coact__scheduler *scheduler = worker->scheduler;
    uint32_t awake = coact__census_awake(&scheduler->census);
    if (awake < 2) {
        trial->is_on = false; // there is nobody whom we could leave it to
        return false;
    }
    int64_t took = now_ns - trial->began_ns;
    if (took < STRETCH_NS) {
        return false;
    }
    uint64_t operations = coact__trial_operations(scheduler);
    double rate = rate_of(operations - trial->began_operations, took);
    double wanted = trial->base * (1 + GAIN / (double)(awake - 1));
    trial->began_ns = now_ns;
    trial->began_operations = operations;
    if (rate < FINE) {
        return false;
    }
    if (trial->base <= 0 || ++trial->successes == SUCCESSES) {
        return true; // to be measured without us, and then decided
    }
    if (rate < wanted) {
        back_off(&scheduler->trials, now_ns);
        return true;
    }
    atomic_store_explicit(&scheduler->trials.backoff_ns, BACKOFF_FIRST_NS,
                          memory_order_relaxed);
    return false;
}
