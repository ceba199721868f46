/*
 * scheduler_test.c - the scheduler with 2, 8 and 64 workers, on a machine that
 * a seed makes up (crowd.h).
 *
 * Every scenario is a mixture of jobs, which are tasks without actors.  Checked
 * under every seed:
 *   whenever no thread runs, nothing is ready to run
 *   a job is in one place at a time
 *   all jobs come to their end, and then all threads sleep without a deadline
 *   thefts, looks of the lookout and joins are bounded by the work and the time
 *
 * With COACT_FIGURES set the tests print what they have counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/crowd/shim.h"

#include "test/crowd/jobs.h"
#include "test/support/seed.h"
#include "test/support/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)
#define US INT64_C(1000)

/* ---- What they do ---- */

static void
tree(struct job *self)
{
    crowd_work(200 + crowd_draw(2000));
    for (uint32_t i = 0; self->depth > 0 && i < self->turns; i++) {
        struct job *child = new_job(tree);
        child->turns = self->turns;
        child->depth = self->depth - 1;
        start(self, child);
    }
}

static void
pair(struct job *self)
{
    for (uint32_t i = 0; i < self->turns; i++) {
        self->partner->posted++;
        wake(self->partner);
        while (self->posted == 0) {
            wait_until(self, INT64_MAX);
        }
        self->posted--;
        uint32_t awake = coact__census_awake(&world.scheduler.census);
        crowd_work((50 + crowd_draw(300)) * (world.is_crowded ? awake : 1));
    }
}

static void
small(struct job *self)
{
    (void)self;
    crowd_work(1000 + crowd_draw(10000));
}

static void
producer(struct job *self)
{
    for (uint32_t i = 0; i < self->turns; i++) {
        start(self, new_job(small));
        crowd_work(100 + crowd_draw(500));
        if (crowd_draw(32) == 0) {
            wait_until(self, crowd_now_ns() + crowd_draw(300000));
        }
    }
}

static void
sleeper(struct job *self)
{
    for (uint32_t i = 0; i < self->turns; i++) {
        int64_t until = crowd_now_ns() + crowd_draw(50000000);
        while (crowd_now_ns() < until) {
            wait_until(self, until);
        }
        int64_t late = crowd_now_ns() - until;
        world.latest_ns = late > world.latest_ns ? late : world.latest_ns;
        crowd_work(100 + crowd_draw(1000));
    }
}

/* Work that is worth a core; the children halve what is to be done. */
static void
coarse(struct job *self)
{
    for (; self->depth > 0; self->depth--) {
        struct job *child = new_job(coarse);
        child->depth = self->depth - 1;
        start(self, child);
    }
    int64_t ns = 100 * US + crowd_draw(200000);
    world.worked_ns += ns;
    crowd_work(ns);
}

/* It does not come back for long. */
static void
hog(struct job *self)
{
    for (uint32_t i = 0; i < self->turns; i++) {
        // About as long as the lookout waits, or much longer.
        crowd_work(crowd_draw(2) == 0 ? 9 * MS + crowd_draw(4000000)
                                      : 5 * MS + crowd_draw(60000000));
        if (crowd_draw(2) == 0) {
            yield(self);
        } else {
            wait_until(self, crowd_now_ns() + crowd_draw(2000000));
        }
    }
}

/* It takes a little longer than the lookout's patience, and comes back each time. */
enum { HABITUAL_TURNS = 40, KNOWN_AFTER = 10 };

static void
habitual(struct job *self)
{
    for (uint32_t i = 0; i < self->turns; i++) {
        crowd_work(12 * MS);
        if (i > KNOWN_AFTER &&
            atomic_load(&world.scheduler.parking.stuck) > 0) {
            world.stood_in++;
        }
        yield(self);
    }
}

/* It waits for what a foreign thread posts. */
static void
reader(struct job *self)
{
    for (uint32_t i = 0; i < self->turns; i++) {
        while (self->posted == 0) {
            wait_until(self, INT64_MAX);
        }
        self->posted--;
        crowd_work(500 + crowd_draw(3000));
    }
}

static void *
foreign(void *arg)
{
    struct job *readers = arg;
    uint32_t count = readers->depth;
    for (uint32_t i = 0; i < readers->turns; i++) {
        for (uint32_t k = 0; k < count; k++) {
            readers[k].posted++;
            wake(&readers[k]);
            if (crowd_draw(4) == 0) {
                crowd_sleep(crowd_draw(crowd_draw(8) == 0 ? 3000000 : 100000));
            }
        }
    }
    return NULL;
}

/* ---- The world ---- */

/* No thread runs: then nothing may be there to run. */
static void
check_nothing_waits(void)
{
    if (world.is_stopping) {
        return;
    }
    struct coact__scheduler *scheduler = &world.scheduler;
    CROWD_CHECK(coact__globalq_length(&scheduler->global) == 0);
    for (uint32_t i = 0; i < scheduler->worker_slots; i++) {
        CROWD_CHECK(!coact__worker_has_queued(&scheduler->workers[i]));
    }
    CROWD_CHECK(coact__census_awake(&scheduler->census) == 0);
}

static void
begin_world(uint64_t seed, bool is_calm, uint32_t workers, uint32_t room)
{
    suite_seed(seed);
    memset(&world, 0, sizeof(world));
    world.room = room;
    world.jobs = calloc(room, sizeof(struct job));
    ck_assert_ptr_nonnull(world.jobs);
    world.is_stopping = true; // it is not there yet
    crowd_begin(seed, is_calm, check_nothing_waits);
    struct coact__scheduler_options options = {.workers = workers,
                                               .run = run,
                                               .ended = ended,
                                               .no_stack = no_stack,
                                               .look = look};
    CROWD_CHECK(coact__scheduler_start(&world.scheduler, &options) == 0);
    world.is_stopping = false;
    world.began_ns = crowd_now_ns();
}

static void
count_up(void)
{
    world.counts = *crowd_counted();
    for (uint32_t i = 0; i < world.scheduler.worker_slots; i++) {
        struct coact__worker *worker = &world.scheduler.workers[i];
        world.dispatches += atomic_load(&worker->dispatches);
        world.steals += atomic_load(&worker->steals);
        world.parks += atomic_load(&worker->parks);
        world.fired += atomic_load(&worker->timers_fired);
    }
    world.departures = world.scheduler.parking.departures;
}

/* Everything is done: nobody has a reason to move any more. */
static void
check_quiet(void)
{
    struct coact__parking *parking = &world.scheduler.parking;
    CROWD_CHECK(world.ended == world.made);
    check_nothing_waits();
    CROWD_CHECK(parking->lookout != NULL);
    CROWD_CHECK(atomic_load(&parking->lookout_wakes_ns) == INT64_MAX);
    CROWD_CHECK(parking->threads == world.scheduler.worker_count + 1);
    CROWD_CHECK(parking->serving == 0);
    CROWD_CHECK(atomic_load(&parking->stuck) == 0);
    uint32_t sleepers = 0;
    for (struct coact__worker *w = parking->sleepers; w != NULL;
         w = w->parked.next_sleeper) {
        CROWD_CHECK(w->parked.is_sleeping_on);
        sleepers++;
    }
    CROWD_CHECK(sleepers + 1 == parking->threads);
}

/* What the workers may cost each other, whatever the seed: about twice as much
   as the worst of thousands. */
static void
check_bounds(void)
{
    uint64_t workers = world.scheduler.worker_count;
    uint64_t ms = (uint64_t)((world.ended_ns - world.began_ns) / MS) + 1;
    const struct crowd_counts *counts = &world.counts;
    CROWD_CHECK(world.steals <= world.dispatches / 4 + 16 * workers);
    CROWD_CHECK(world.parks <= world.dispatches + 2 * workers);
    // Who goes to work was called, by a kick or a timer, or joins others.
    CROWD_CHECK(world.departures <=
                counts->kicks + world.fired + 2 * (ms + workers));
    CROWD_CHECK(counts->polls <=
                8 * ms + counts->kicks + 4 * world.departures + workers);
    CROWD_CHECK(counts->starts <= workers + 1 + COACT__SPARE_WORKERS + 4);
    CROWD_CHECK(world.latest_ns <= 250 * MS);
}

static void
end_world(void)
{
    count_up();
    check_bounds();
    world.is_stopping = true;
    coact__scheduler_stop(&world.scheduler);
    struct crowd_counts all;
    crowd_end(&all);
    free(world.jobs);
}

enum {
    TREE = 1,
    PAIRS = 2,
    PRODUCER = 4,
    TIMERS = 8,
    FOREIGN = 16,
    HOGS = 32,
    COARSE = 64
};

static void
start_tree(uint32_t size)
{
    struct job *root = new_job(tree);
    root->turns = 10;
    root->depth = size >= 10000 ? 4 : size >= 1000 ? 3 : 2;
    start(NULL, root);
}

static void
start_pairs(uint32_t pairs, uint32_t turns)
{
    for (uint32_t i = 0; i < pairs; i++) {
        struct job *a = new_job(pair);
        struct job *b = new_job(pair);
        a->partner = b;
        b->partner = a;
        a->turns = b->turns = turns;
        start(NULL, a);
        start(NULL, b);
    }
}

static void
start_many(uint32_t count, void (*body)(struct job *self), uint32_t turns)
{
    for (uint32_t i = 0; i < count; i++) {
        struct job *job = new_job(body);
        job->turns = turns;
        start(NULL, job);
    }
}

/* What is wanted, of about the size that is wanted; then wait for its end. */
static void
play(uint32_t what, uint32_t size, uint32_t workers)
{
    pthread_t threads[2];
    bool is_foreign = (what & FOREIGN) != 0;
    for (int i = 0; is_foreign && i < 2; i++) {
        uint32_t first = world.made;
        uint32_t readers = 1 + crowd_draw(size / 20 + 1);
        for (uint32_t k = 0; k < readers; k++) {
            struct job *job = new_job(reader);
            job->turns = 10;
            job->depth = readers;
            start(NULL, job);
        }
        threads[i] = crowd_start(foreign, &world.jobs[first]);
    }
    if ((what & HOGS) != 0) {
        start_many(1 + crowd_draw(workers + workers / 2 + 2), hog, 2);
    }
    if ((what & TREE) != 0) {
        start_tree(size);
    }
    if ((what & COARSE) != 0) {
        struct job *root = new_job(coarse);
        root->depth = (uint32_t)(31 - __builtin_clz(size));
        start(NULL, root);
    }
    if ((what & PAIRS) != 0) {
        start_pairs(size / 10, size >= 10000 ? 100 : 10);
    }
    if ((what & PRODUCER) != 0) {
        start_many(1, producer, size);
    }
    if ((what & TIMERS) != 0) {
        start_many(size / 4, sleeper, 4);
    }
    for (int i = 0; is_foreign && i < 2; i++) {
        crowd_join(threads[i]);
    }
    crowd_wait_until_quiet();
    crowd_look(check_quiet);
}

static uint32_t
room_for(uint32_t size)
{
    return 8 * size + 500;
}

static void
print_figures(const char *what, uint32_t workers)
{
    if (getenv("COACT_FIGURES") == NULL) {
        return;
    }
    double k = (double)world.dispatches / 1000;
    double ms = (double)(world.ended_ns - world.began_ns) / 1e6;
    printf("  %-9s N=%2" PRIu32 ": %8" PRIu64
           " dispatches %8.1f ms; a 1000: steals %7.2f parks %7.2f joins "
           "%6.2f polls %7.2f kicks %6.2f signals %6.2f; starts %" PRIu64
           ", latest %.3f ms, steps %" PRIu64 ", coarse work in %.1f ms\n",
           what, workers, world.dispatches, ms, (double)world.steals / k,
           (double)world.parks / k, (double)world.departures / k,
           (double)world.counts.polls / k, (double)world.counts.kicks / k,
           (double)world.counts.signals / k, world.counts.starts,
           (double)world.latest_ns / 1e6, world.counts.steps,
           (double)world.worked_ns / 1e6);
}

/* A mixture that the seed draws; twice, the second time all threads are parked
   at its beginning. */
static void
explore(uint64_t seed, uint32_t size, uint32_t what)
{
    static const uint32_t counts[] = {2, 8, 64};
    uint32_t workers = counts[seed % 3];
    begin_world(seed, false, workers, 2 * room_for(size));
    for (int round = 0; round < 2; round++) {
        play(what != 0 ? what : 1 + crowd_draw(63), size, workers);
    }
    end_world();
    print_figures("mixture", workers);
}

static void
explore_seeds(uint64_t seeds, uint32_t size, uint32_t what)
{
    uint64_t asked;
    if (suite_seed_asked(&asked)) {
        explore(asked, size, what);
        return;
    }
    const char *text = getenv("COACT_SEEDS");
    seeds = text != NULL ? strtoull(text, NULL, 0) : seeds;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        explore(seed, size, what);
    }
}

START_TEST(everything_that_was_woken_runs_and_then_all_sleep)
{
    explore_seeds(COACT__ASAN ? 50 : 500, 100, 0);
}
END_TEST

START_TEST(a_worker_that_parks_as_another_stands_in_is_counted_out_once)
{
    explore_seeds(COACT__ASAN ? 100 : 1000, 10, HOGS | FOREIGN);
}
END_TEST

static const uint32_t worker_counts[] = {2, 8, 64};

/* How often each could have been done by one worker in the time. */
START_TEST(coarse_work_goes_faster_by_nearly_as_much_as_there_are_workers)
{
    static const double least[] = {1.9, 7.2, 40};
    for (int i = 0; i < 3; i++) {
        begin_world(1, true, worker_counts[i], room_for(20000));
        play(COARSE, 20000, worker_counts[i]);
        end_world();
        print_figures("coarse", worker_counts[i]);
        ck_assert_double_ge((double)world.worked_ns /
                                (double)(world.ended_ns - world.began_ns),
                            least[i]);
    }
}
END_TEST

/* Workers that are of no use there try it again rarely. */
START_TEST(fine_work_does_not_make_workers_come_and_go)
{
    for (int i = 0; i < 3; i++) {
        begin_world(1, true, worker_counts[i], 4000);
        world.is_crowded = true;
        start_pairs(200, 1000);
        play(0, 0, worker_counts[i]);
        end_world();
        print_figures("fine", worker_counts[i]);
        uint64_t ms = (uint64_t)((world.ended_ns - world.began_ns) / MS);
        ck_assert_uint_le(world.departures, 10 + ms / 2);
        ck_assert_uint_le(world.steals, world.dispatches / 500);
    }
}
END_TEST

START_TEST(a_seed_replays_a_run)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        explore(seed, 100, 0);
        struct crowd_counts first = world.counts;
        int64_t ended_ns = world.ended_ns;
        explore(seed, 100, 0);
        ck_assert_mem_eq(&first, &world.counts, sizeof(first));
        ck_assert_int_eq(ended_ns, world.ended_ns);
    }
}
END_TEST

START_TEST(nobody_stands_in_for_those_that_keep_coming_back)
{
    begin_world(1, true, 2, 100);
    start_many(16, habitual, HABITUAL_TURNS);
    crowd_wait_until_quiet();
    crowd_look(check_quiet);
    end_world();
    ck_assert_uint_eq(world.stood_in, 0);
}
END_TEST

/* COACT_SIZE says how large they are. */
START_TEST(each_load_alone_comes_to_its_end)
{
    static const struct {
        const char *name;
        uint32_t what;
    } loads[] = {{"tree", TREE},         {"pairs", PAIRS},
                 {"producer", PRODUCER}, {"timers", TIMERS},
                 {"foreign", FOREIGN},   {"hogs", HOGS | PAIRS},
                 {"coarse", COARSE}};
    const char *text = getenv("COACT_SIZE");
    uint32_t size = text != NULL ? (uint32_t)strtoul(text, NULL, 0) : 1000;
    for (size_t l = 0; l < sizeof(loads) / sizeof(loads[0]); l++) {
        for (size_t w = 0; w < 3; w++) {
            begin_world(1, true, worker_counts[w], room_for(size));
            play(loads[l].what, size, worker_counts[w]);
            end_world();
            print_figures(loads[l].name, worker_counts[w]);
        }
    }
}
END_TEST

SUITE_MAIN("crowd", everything_that_was_woken_runs_and_then_all_sleep,
           a_worker_that_parks_as_another_stands_in_is_counted_out_once,
           coarse_work_goes_faster_by_nearly_as_much_as_there_are_workers,
           fine_work_does_not_make_workers_come_and_go, a_seed_replays_a_run,
           nobody_stands_in_for_those_that_keep_coming_back,
           each_load_alone_comes_to_its_end)
