/*
 * inquiry.c - what the kernel knows of a thread, and what is said about it.
 *
 * A long run may have computed, slept in the kernel, or had no processor.  The
 * kernel tells which; asking costs microseconds, so a run is asked about the
 * more rarely the longer it lasts.
 *
 * How far a report has come is decided under the lock of the parking.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/lookout_parts.h"

#include "runtime/demote.h"

#define ASK_LAST_NS INT64_C(1000000000)

static void
set_blocked(struct coact__worker *other, bool is_blocked)
{
    struct coact__parking *parking = &other->scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    if (coact__lookout_is_stuck(other) && other->is_blocked != is_blocked) {
        other->is_blocked = is_blocked;
        atomic_fetch_add_explicit(&parking->blocked,
                                  is_blocked ? 1 : (uint32_t)-1,
                                  memory_order_relaxed);
    }
    pthread_mutex_unlock(&parking->lock);
}

/* Ask the kernel, the more rarely the longer the run. */
void
coact__inquiry_ask(struct coact__lookout *watch, struct coact__worker *other,
                   int64_t unmoved)
{
    struct coact__inquiry *inquiry = &other->inquiry;
    if (inquiry->dispatches != other->sighting.dispatches) {
        *inquiry =
            (struct coact__inquiry){.dispatches = other->sighting.dispatches};
    }
    if (watch->now_ns < inquiry->next_ns) {
        return;
    }
    (void)coact__threadstate_read(
        atomic_load_explicit(&other->tid, memory_order_relaxed),
        &inquiry->last);
    inquiry->last_ns = watch->now_ns;
    if (inquiry->first_ns == 0) {
        inquiry->first_ns = watch->now_ns;
        inquiry->first = inquiry->last;
        inquiry->unseen_ns = unmoved;
    }
    int64_t report_ns = watch->worker->scheduler->options.hog_report_ns;
    int64_t least = coact__lookout_hog_ns(watch) < report_ns
                        ? coact__lookout_hog_ns(watch) / 2
                        : report_ns / 2;
    int64_t wait = unmoved / 4 < ASK_LAST_NS ? unmoved / 4 : ASK_LAST_NS;
    wait = wait > least ? wait : least;
    inquiry->next_ns = watch->now_ns + wait;
    set_blocked(other, coact__lookout_is_asleep(&inquiry->last));
}

/* What the run that it is in has done so far, as far as we saw it. */
static void
sum_up(const struct coact__inquiry *inquiry, struct coact__threadspan *span)
{
    coact__threadstate_span(&inquiry->first, &inquiry->last,
                            inquiry->last_ns - inquiry->first_ns, span);
}

void
coact__inquiry_demote(struct coact__lookout *watch, struct coact__worker *other)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    struct coact__threadspan span;
    sum_up(&other->inquiry, &span);
    if (span.computed_ns < coact__lookout_hog_ns(watch) ||
        coact__lookout_surplus(scheduler) == 0) {
        return;
    }
    pthread_mutex_lock(&parking->lock);
    if (!other->is_demoted &&
        coact__lookout_is_in(other, other->inquiry.dispatches)) {
        other->is_demoted = coact__demote(
            atomic_load_explicit(&other->tid, memory_order_relaxed),
            &other->policy_before);
        atomic_store_explicit(&other->ready.bias.attention, true,
                              memory_order_release);
    }
    pthread_mutex_unlock(&parking->lock);
}

static enum coact__report
report_of(const struct coact__worker *other)
{
    // Relaxed: the lookout makes them one after another, and the lock orders
    // what belongs to it; a stale answer costs one look.
    return (enum coact__report)atomic_load_explicit(&other->report,
                                                    memory_order_relaxed);
}

/* Under the lock. */
static void
set_report(struct coact__worker *other, enum coact__report report)
{
    atomic_store_explicit(&other->report, (uint8_t)report,
                          memory_order_relaxed);
}

/* Has it been at it for so long by its own doing?  What came before the first
   question is taken for its own, up to a quarter. */
bool
coact__inquiry_is_to_report(const struct coact__lookout *watch,
                            const struct coact__worker *other, int64_t unmoved)
{
    int64_t least = watch->worker->scheduler->options.hog_report_ns;
    const struct coact__inquiry *inquiry = &other->inquiry;
    if (unmoved < least || inquiry->first_ns == 0 ||
        report_of(other) != COACT__REPORT_NONE) {
        return false;
    }
    struct coact__threadspan span;
    sum_up(inquiry, &span);
    int64_t unseen =
        inquiry->unseen_ns < least / 4 ? inquiry->unseen_ns : least / 4;
    return span.computed_ns + span.slept_ns + unseen >= least;
}

/* Under the lock.  True: its report is made, and its end is to be told. */
bool
coact__inquiry_end_report(struct coact__worker *worker, int64_t now_ns)
{
    if (report_of(worker) == COACT__REPORT_BEING_MADE) {
        worker->report_over_ns = now_ns; // who makes it tells
        return false;
    }
    bool is_made = report_of(worker) == COACT__REPORT_MADE;
    set_report(worker, COACT__REPORT_NONE);
    return is_made;
}

void
coact__inquiry_tell_over(struct coact__worker *worker, int64_t now_ns)
{
    const struct coact__scheduler_options *options =
        &worker->scheduler->options;
    if (options->stuck_over != NULL) {
        options->stuck_over(options->owner, worker, now_ns);
    }
}

/* It may be over already; then that is told before there can be another. */
static void
finish_report(struct coact__worker *other, bool is_said)
{
    struct coact__parking *parking = &other->scheduler->parking;
    pthread_mutex_lock(&parking->lock);
    int64_t over_ns = other->report_over_ns;
    bool is_open = is_said && over_ns == 0;
    if (is_open) {
        set_report(other, COACT__REPORT_MADE);
    }
    pthread_mutex_unlock(&parking->lock);
    if (is_open) {
        return;
    }
    if (is_said) {
        coact__inquiry_tell_over(other, over_ns);
    }
    pthread_mutex_lock(&parking->lock);
    set_report(other, COACT__REPORT_NONE);
    pthread_mutex_unlock(&parking->lock);
}

/* One does not come back; say so.  False: another has our place. */
bool
coact__inquiry_report(struct coact__lookout *watch, struct coact__worker *other)
{
    struct coact__scheduler *scheduler = watch->worker->scheduler;
    struct coact__parking *parking = &scheduler->parking;
    const struct coact__inquiry *inquiry = &other->inquiry;
    struct coact__threadspan span;
    sum_up(inquiry, &span);
    const struct coact__stuck_run run = {
        .worker = other,
        .task = coact__worker_current(other),
        .dispatches = inquiry->dispatches,
        .since_ns = other->sighting.since_ns,
        .now_ns = watch->now_ns,
        .computed_ns = inquiry->last.cpu_ns >= 0 ? span.computed_ns : -1,
        .call = span.slept_ns > span.computed_ns ? inquiry->last.call
                                                 : COACT__THREADSTATE_NO_CALL,
        .sleeps = span.slept_ns > span.computed_ns};
    pthread_mutex_lock(&parking->lock);
    // Who had our place while we served may have begun it.
    bool is_ours_to_make = report_of(other) == COACT__REPORT_NONE;
    if (is_ours_to_make) {
        set_report(other, COACT__REPORT_BEING_MADE);
        other->report_over_ns = 0;
    }
    pthread_mutex_unlock(&parking->lock);
    if (!is_ours_to_make) {
        return true;
    }
    // Behind the report: who comes back sees it.
    atomic_store_explicit(&other->ready.bias.attention, true,
                          memory_order_release);
    coact__place_step_aside(watch->worker);
    bool is_said = scheduler->options.stuck(scheduler->options.owner, &run);
    finish_report(other, is_said);
    return coact__place_step_back(watch->worker);
}
