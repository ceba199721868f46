/*
 * census_test.c - leaving and announcing under every interleaving.
 *
 * Workers take items, and park when they find none: the first one waits for a
 * kick, as a parked worker does in the poller, the second until the first has
 * left.  Strangers bring items and kick when they are told to.  If a wake-up is
 * lost, an item stays and nobody can go on.
 *
 * The bookkeeping of park.c is under a lock; here it lies between two steps of
 * the scheduler, which is as good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/interleave.h"
#include "test/interleave/shim.h"
#include "test/support/suite.h"

#include "runtime/census.c"

enum { ITEMS = 2, WORKERS = 2 };

static struct coact__census census;
static _Atomic int queued; /* relaxed: the census alone must order it */
static struct interleave_event kicks;
static struct interleave_event seats;
static bool is_held;
static int beside;
static int taken;
static int left_behind[ITEMS + WORKERS]; /* by a worker that leaves */

static void
begin_with(uint32_t awake)
{
    coact__census_init(&census, awake);
    atomic_init(&queued, 0);
    kicks = seats = (struct interleave_event){0};
    is_held = false;
    beside = taken = 0;
}

static void
begin_with_one(void)
{
    begin_with(1);
}

static void
begin_with_two(void)
{
    begin_with(WORKERS);
}

static void
bring(int self)
{
    (void)self;
    atomic_fetch_add_explicit(&queued, 1, memory_order_relaxed);
    if (coact__census_announce_from_any(&census)) {
        for (int i = 0; i < ITEMS + WORKERS; i++) {
            interleave_read(&left_behind[i]);
        }
        interleave_post(&kicks);
    }
}

static bool
take_one(void)
{
    int n = atomic_load_explicit(&queued, memory_order_relaxed);
    while (n > 0) {
        if (atomic_compare_exchange_strong_explicit(&queued, &n, n - 1,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* Wait for a kick; if somebody does already, until he has left. */
static void
park(void)
{
    while (is_held && taken < ITEMS) {
        beside++;
        interleave_wait(&seats);
        beside--;
    }
    if (taken == ITEMS) {
        return;
    }
    is_held = true;
    interleave_wait(&kicks);
    is_held = false;
    if (beside > 0) {
        interleave_post(&seats);
    }
}

static void
work(int self)
{
    while (taken < ITEMS) {
        interleave_wrote(&left_behind[self]);
        if (take_one()) {
            taken++;
        } else if (coact__census_leave(&census)) {
            park();
            coact__census_join(&census);
        }
    }
    interleave_post(&kicks); /* so that the other one ends too */
    interleave_post(&seats);
}

START_TEST(census_loses_no_item_between_one_worker_and_two_strangers)
{
    interleave_explore(&(struct interleave_case){
        .name = "census: one worker",
        .threads = {{"stranger", bring},
                    {"stranger2", bring},
                    {"worker", work}},
        .setup = begin_with_one,
    });
}
END_TEST

START_TEST(census_loses_no_item_between_two_workers_and_two_strangers)
{
    interleave_explore(&(struct interleave_case){
        .name = "census: two workers",
        .threads = {{"stranger", bring},
                    {"stranger2", bring},
                    {"worker", work},
                    {"worker2", work}},
        .setup = begin_with_two,
    });
}
END_TEST

/* ---- the last one out knows what the others left ---- */

static _Atomic int armed[WORKERS];
static int out;

static void
begin_leaving(void)
{
    begin_with(WORKERS);
    atomic_init(&armed[0], 0);
    atomic_init(&armed[1], 0);
    out = 0;
}

static void
arm_and_leave(int self)
{
    atomic_store_explicit(&armed[self], 1, memory_order_relaxed);
    INTERLEAVE_CHECK(coact__census_leave(&census));
    if (++out == WORKERS) {
        INTERLEAVE_CHECK(
            atomic_load_explicit(&armed[1 - self], memory_order_relaxed) == 1);
    }
}

START_TEST(census_shows_the_last_one_out_the_timers_of_the_others)
{
    interleave_explore(&(struct interleave_case){
        .name = "census: leaving",
        .threads = {{"worker", arm_and_leave}, {"worker2", arm_and_leave}},
        .setup = begin_leaving,
    });
}
END_TEST

/* ---- one is counted out by another, and comes back one too many ---- */

static bool is_counted_out; /* under the lock of the parking, as in lookout.c */

static void
begin_with_stuck(void)
{
    begin_with(1);
    is_counted_out = false;
    atomic_init(&armed[0], 0);
}

/* The lookout: it counts the stuck one out, goes to work, and leaves again when
   it finds nothing more. */
static void
stand_in_and_work(int self)
{
    (void)self;
    is_counted_out = true;
    (void)coact__census_leave_anyway(&census); // for we join
    coact__census_join(&census);
    while (taken < ITEMS) {
        if (take_one()) {
            taken++;
        } else if (coact__census_leave(&census)) {
            interleave_wait(&kicks);
            coact__census_join(&census);
        }
    }
}

/* The stuck one: it comes back, maybe before anybody has missed it, and leaves
   for there is another, whatever there is to do. */
static void
come_back_and_leave(int self)
{
    (void)self;
    for (int i = (int)interleave_draw(8); i > 0; i--) {
        interleave_step();
    }
    if (is_counted_out) {
        coact__census_join(&census);
        if (coact__census_leave_anyway(&census)) {
            interleave_post(&kicks);
        }
    }
}

START_TEST(census_loses_no_item_when_one_too_many_leaves)
{
    interleave_explore(&(struct interleave_case){
        .name = "census: one too many",
        .threads = {{"stranger", bring},
                    {"stranger2", bring},
                    {"stand-in", stand_in_and_work},
                    {"stuck", come_back_and_leave}},
        .setup = begin_with_stuck,
    });
}
END_TEST

/* Who leaves in any case shows what it did before to who finds nobody awake. */
static void
arm_and_leave_anyway(int self)
{
    (void)self;
    atomic_store_explicit(&armed[0], 1, memory_order_relaxed);
    (void)coact__census_leave_anyway(&census);
}

static void
look_for_timers(int self)
{
    (void)self;
    if (coact__census_awake(&census) == 0) {
        INTERLEAVE_CHECK(
            atomic_load_explicit(&armed[0], memory_order_relaxed) == 1);
    }
}

START_TEST(census_shows_the_timers_of_who_leaves_in_any_case)
{
    interleave_explore(&(struct interleave_case){
        .name = "census: leaving in any case",
        .threads = {{"leaver", arm_and_leave_anyway},
                    {"lookout", look_for_timers}},
        .setup = begin_with_stuck,
    });
}
END_TEST

SUITE_MAIN("interleave/census",
           census_loses_no_item_between_one_worker_and_two_strangers,
           census_loses_no_item_between_two_workers_and_two_strangers,
           census_shows_the_last_one_out_the_timers_of_the_others,
           census_loses_no_item_when_one_too_many_leaves,
           census_shows_the_timers_of_who_leaves_in_any_case)
