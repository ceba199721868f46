/*
 * serving.c - what the lookout runs itself, beside those that are busy.
 *
 * Our thread is one more than there are cores, and slows down the others: so only
 * what cannot wait is run here, in the hope that it is short.  While it runs another
 * thread may take our place, and then it is one that does not come back, like any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/lookout_parts.h"

#include "runtime/scheduler.h"

#define PROBATION_NS INT64_C(50000000)
#define SERVE_MOST 64

/* Run one task here; then we have the place again, or another has it. */
static bool
serve(struct coact__worker *worker, struct coact__runnable *runnable)
{
    coact__place_step_aside(worker);
    coact__worker_run_alone(worker, runnable);
    coact__hibernate_drowsy(worker);
    return coact__place_step_back(worker);
}

static bool
is_urgent(const struct coact__scheduler *scheduler,
          const struct coact__runnable *runnable)
{
    return (scheduler->roles.tight >> runnable->role & 1) != 0 &&
           runnable->rank == COACT__RANK_PROMPT;
}

/* What is ready and nobody's yet; and, of those in a long run, what they have
   queued if some of it is urgent. */
static void
gather(struct coact__lookout *watch, bool all, struct coact__batch *out)
{
    struct coact__worker *worker = watch->worker;
    struct coact__scheduler *scheduler = worker->scheduler;
    coact__ready_give_up_all(&worker->ready, out);
    coact__globalq_pop_rank(&scheduler->global, COACT__RANK_PROMPT, SERVE_MOST,
                            out);
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *other = &scheduler->workers[i];
        bool is_wanted = (coact__ready_waiting(&other->ready) &
                          scheduler->roles.tight) != 0 ||
                         (all && coact__worker_has_queued(other));
        if (other != worker && is_wanted &&
            coact__lookout_unmoved_ns(other, watch->now_ns) >=
                COACT__URGENT_NS) {
            coact__ready_take_all(&other->ready, out);
        }
    }
}

/* May we, beside those that are busy, run it?  One who waited for what has come
   behaves until he has shown otherwise. */
static bool
is_to_serve(struct coact__lookout *watch, const struct coact__runnable *r,
            bool trusted)
{
    return is_urgent(watch->worker->scheduler, r) ||
           (trusted && r->rank == COACT__RANK_PROMPT);
}

/* Back to the others, who may all have gone to sleep meanwhile. */
static void
hand_out(struct coact__scheduler *scheduler, struct coact__batch *batch)
{
    if (batch->first != NULL) {
        coact__globalq_push_batch(&scheduler->global, batch);
        coact__park_announce(scheduler);
    }
}

/* Serve the chosen one, and put the rest where others find it before that: we may
   not come back. */
static bool
serve_chosen(struct coact__lookout *watch, struct coact__runnable *chosen,
             struct coact__batch *rest)
{
    struct coact__worker *worker = watch->worker;
    hand_out(worker->scheduler, rest);
    if (chosen == NULL) {
        return true;
    }
    watch->has_served = true;
    bool is_ours = serve(worker, chosen);
    coact__ready_give_up_all(&worker->ready, rest);
    hand_out(worker->scheduler, rest);
    return is_ours;
}

bool
coact__serving_some(struct coact__lookout *watch, bool trusted_too, bool all)
{
    bool is_ours = true;
    bool has_more = true;
    for (int i = 0; is_ours && has_more && i < SERVE_MOST; i++) {
        struct coact__batch found = {0};
        struct coact__batch rest = {0};
        struct coact__runnable *chosen = NULL;
        struct coact__runnable *r;
        gather(watch, all, &found);
        while ((r = coact__batch_pop(&found)) != NULL) {
            if (chosen == NULL && is_to_serve(watch, r, trusted_too)) {
                chosen = r;
            } else {
                coact__batch_append(&rest, r);
            }
        }
        has_more = chosen != NULL;
        is_ours = serve_chosen(watch, chosen, &rest);
    }
    return is_ours;
}

/* One who has yielded, or has had long runs, but came back from all of them.  Now
   and then also one whose runs were long: they may have been so only because
   there was no processor, and nobody else would ever find out. */
static bool
may_be_served_last(struct coact__lookout *watch,
                   const struct coact__runnable *r)
{
    struct coact__parking *parking = &watch->worker->scheduler->parking;
    if (r->is_fresh) {
        return false;
    }
    if (coact__runnable_long_runs(r) < COACT__LONG_RUNS) {
        return true;
    }
    if (watch->now_ns - parking->probation_ns < PROBATION_NS) {
        return false;
    }
    parking->probation_ns = watch->now_ns;
    return true;
}

bool
coact__serving_one_patient(struct coact__lookout *watch)
{
    struct coact__globalq *global = &watch->worker->scheduler->global;
    struct coact__batch found = {0};
    struct coact__batch rest = {0};
    struct coact__runnable *chosen = NULL;
    coact__globalq_pop_rank(global, COACT__RANK_PATIENT, SERVE_MOST, &found);
    struct coact__runnable *r;
    while ((r = coact__batch_pop(&found)) != NULL) {
        if (chosen == NULL && may_be_served_last(watch, r)) {
            chosen = r;
        } else {
            coact__batch_append(&rest, r);
        }
    }
    return serve_chosen(watch, chosen, &rest);
}

void
coact__serving_hand_out_own(struct coact__worker *worker)
{
    if (coact__worker_has_queued(worker)) {
        struct coact__batch own = {0};
        coact__ready_give_up_all(&worker->ready, &own);
        hand_out(worker->scheduler, &own);
    }
}
