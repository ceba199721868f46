/*
 * pool.c - a bounded pool, full of tasks that only sleep.
 *
 * SPDX-License-Identifier: MIT
 */
#include "samples/traps/traps.h"

#include <coact/limit.h>

#include <stdio.h>

enum { JOBS = 60 };

/* Computes for a millisecond, and then waits for 20. */
static void
job_body(worker_self self, void *arg)
{
    (void)self;
    struct coact_limit *pool = arg;
    must(coact_limit_enter(pool, COACT_FOREVER), "enter");
    compute_until(coact_in_ms(1), nothing_between);
    must(coact_sleep(coact_in_ms(20)), "sleep");
    must(coact_limit_leave(pool), "leave");
}

/* How long it took. */
static int64_t
run(const char *what, bool rigid)
{
    const struct coact_runtime_options options = {.workers = 2,
                                                  .log_level = COACT_LOG_NONE};
    struct coact_runtime *runtime = begin(&options);
    struct coact_limit *pool;
    must(coact_limit_new(
             &(const struct coact_limit_options){.most = 4, .rigid = rigid},
             &pool),
         "limit");
    worker_ref jobs[JOBS];
    int64_t start_ns = coact_now_ns();
    for (int i = 0; i < JOBS; i++) {
        must(coact_spawn(worker, &jobs[i], job_body, pool), "spawn");
    }
    for (int i = 0; i < JOBS; i++) {
        must(coact_join(jobs[i].ref, COACT_FOREVER, NULL), "join");
    }
    int64_t took_ns = coact_now_ns() - start_ns;
    struct coact_limit_stats stats;
    coact_stats_of_limit(pool, &stats);
    must(coact_limit_free(pool), "free");
    finish(runtime);
    printf("  %-44s %6.0f %9.2f %11llu\n", what, JOBS * 1e9 / (double)took_ns,
           (double)stats.longest_ns / 1e6,
           (unsigned long long)stats.given_back);
    return took_ns;
}

static bool
demonstrate(void)
{
    printf("  %-44s %6s %9s %11s\n", "", "jobs/s", "wait, ms", "places lent");
    int64_t rigid_ns = run("a rigid limit: who sleeps keeps a place", true);
    int64_t elastic_ns = run("an elastic limit: who sleeps lends it", false);
    return elastic_ns * 3 < rigid_ns * 2;
}

const struct trap trap_pool = {
    .name = "pool",
    .story = "sixty jobs compute for 1 ms and sleep for 20 ms, in a pool of "
             "four",
    .demonstrate = demonstrate,
};
