/*
 * harness_test.c - the interleaving harness finds what it is there to find.
 *
 * Each test is a small mistake of a known kind.  That its repaired form passes
 * shows that it is the mistake that is found.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/interleave.h"
#include "test/interleave/shim.h"
#include "test/support/suite.h"

#include <string.h>

enum { SEEDS = 20000 };

static _Atomic int x;
static _Atomic int y;
static int saw_x;
static int saw_y;
static int data;
static struct interleave_event event;
static bool is_repaired;

static void
begin(void)
{
    atomic_init(&x, 0);
    atomic_init(&y, 0);
    saw_x = saw_y = -1;
    event = (struct interleave_event){0};
}

/* Both forms must behave: `claim` is what the broken one fails with. */
static void
must_fail_with(struct interleave_case the_case, const char *claim)
{
    const char *found = "";
    is_repaired = false;
    ck_assert_uint_gt(interleave_seeds_to_failure(&the_case, SEEDS, &found), 0);
    ck_assert_str_eq(found, claim);
    is_repaired = true;
    ck_assert_uint_eq(interleave_seeds_to_failure(&the_case, SEEDS, &found), 0);
}

/* ---- an increment in two steps ---- */

static void
increment(int self)
{
    (void)self;
    if (is_repaired) {
        atomic_fetch_add_explicit(&x, 1, memory_order_relaxed);
        return;
    }
    int was = atomic_load_explicit(&x, memory_order_relaxed);
    atomic_store_explicit(&x, was + 1, memory_order_relaxed);
}

static void
check_sum(void)
{
    INTERLEAVE_CHECK(atomic_load_explicit(&x, memory_order_relaxed) == 2);
}

START_TEST(harness_finds_a_lost_update)
{
    must_fail_with((struct interleave_case){.name = "lost update",
                                            .threads = {{"one", increment},
                                                        {"two", increment}},
                                            .setup = begin,
                                            .check = check_sum},
                   "atomic_load_explicit(&x, memory_order_relaxed) == 2");
}
END_TEST

/* ---- a flag that does not publish ---- */

static void
publish(int self)
{
    (void)self;
    interleave_wrote(&data);
    atomic_store_explicit(
        &x, 1, is_repaired ? memory_order_release : memory_order_relaxed);
}

static void
consume(int self)
{
    (void)self;
    if (atomic_load_explicit(&x, memory_order_acquire) == 1) {
        interleave_read(&data);
    }
}

START_TEST(harness_finds_a_store_that_should_release)
{
    must_fail_with((struct interleave_case){.name = "publish",
                                            .threads = {{"writer", publish},
                                                        {"reader", consume}},
                                            .setup = begin},
                   "a read is ordered after the last write");
}
END_TEST

/* ---- each stores, then looks at the other: only weak memory fails ---- */

static void
store_x_look_at_y(int self)
{
    (void)self;
    if (is_repaired) {
        atomic_exchange_explicit(&x, 1, memory_order_acq_rel);
        saw_y = atomic_fetch_add_explicit(&y, 0, memory_order_acq_rel);
    } else {
        atomic_store_explicit(&x, 1, memory_order_release);
        saw_y = atomic_load_explicit(&y, memory_order_acquire);
    }
}

static void
store_y_look_at_x(int self)
{
    (void)self;
    if (is_repaired) {
        atomic_exchange_explicit(&y, 1, memory_order_acq_rel);
        saw_x = atomic_fetch_add_explicit(&x, 0, memory_order_acq_rel);
    } else {
        atomic_store_explicit(&y, 1, memory_order_release);
        saw_x = atomic_load_explicit(&x, memory_order_acquire);
    }
}

static void
check_one_saw(void)
{
    INTERLEAVE_CHECK(saw_x == 1 || saw_y == 1);
}

START_TEST(harness_finds_two_stores_that_miss_each_other)
{
    must_fail_with(
        (struct interleave_case){.name = "store buffers",
                                 .threads = {{"x first", store_x_look_at_y},
                                             {"y first", store_y_look_at_x}},
                                 .setup = begin,
                                 .check = check_one_saw},
        "saw_x == 1 || saw_y == 1");
}
END_TEST

/* ---- a release sequence goes on through another's RMW ---- */

static void
pass_on(int self)
{
    (void)self;
    if (is_repaired) {
        atomic_fetch_add_explicit(&x, 1, memory_order_relaxed);
    } else {
        int was = atomic_load_explicit(&x, memory_order_relaxed);
        atomic_store_explicit(&x, was + 1, memory_order_relaxed);
    }
}

static void
publish_one(int self)
{
    (void)self;
    interleave_wrote(&data);
    atomic_fetch_add_explicit(&x, 1, memory_order_release);
}

static void
consume_two(int self)
{
    (void)self;
    if (atomic_load_explicit(&x, memory_order_acquire) == 2) {
        interleave_read(&data);
    }
}

START_TEST(harness_follows_a_release_sequence_through_changes_only)
{
    must_fail_with(
        (struct interleave_case){.name = "release sequence",
                                 .threads = {{"writer", publish_one},
                                             {"other", pass_on},
                                             {"reader", consume_two}},
                                 .setup = begin},
        "a read is ordered after the last write");
}
END_TEST

/* ---- a barrier in the midst of another thread ---- */

static void
store_x_barrier_look_at_y(int self)
{
    (void)self;
    atomic_store_explicit(&x, 1, memory_order_relaxed);
    if (is_repaired) {
        interleave_barrier();
    }
    saw_y = atomic_load_explicit(&y, memory_order_relaxed);
}

static void
store_y_then_look_at_x(int self)
{
    (void)self;
    atomic_store_explicit(&y, 1, memory_order_relaxed);
    saw_x = atomic_load_explicit(&x, memory_order_relaxed);
}

START_TEST(harness_makes_a_barrier_for_the_thread_that_has_none)
{
    must_fail_with(
        (struct interleave_case){
            .name = "barrier",
            .threads = {{"asks", store_x_barrier_look_at_y},
                        {"is asked", store_y_then_look_at_x}},
            .setup = begin,
            .check = check_one_saw},
        "saw_x == 1 || saw_y == 1");
}
END_TEST

/* Broken: a barrier is taken for the release of plain data. */
static void
write_store_barrier(int self)
{
    (void)self;
    interleave_wrote(&data);
    atomic_store_explicit(
        &x, 1, is_repaired ? memory_order_release : memory_order_relaxed);
    interleave_barrier();
}

START_TEST(harness_does_not_take_a_barrier_for_a_release)
{
    must_fail_with(
        (struct interleave_case){
            .name = "barrier, no release",
            .threads = {{"writer", write_store_barrier}, {"reader", consume}},
            .setup = begin},
        "a read is ordered after the last write");
}
END_TEST

/* ---- sleeping for ever, and running for ever ---- */

/* x: there is news; y: somebody sleeps.  Broken: the news come between the look
   at x and the word that we sleep. */
static void
look_then_sleep(int self)
{
    (void)self;
    if (is_repaired) {
        atomic_exchange_explicit(&y, 1, memory_order_acq_rel);
        if (atomic_fetch_add_explicit(&x, 0, memory_order_acq_rel) == 0) {
            interleave_wait(&event);
        }
    } else if (atomic_load_explicit(&x, memory_order_acquire) == 0) {
        atomic_exchange_explicit(&y, 1, memory_order_acq_rel);
        interleave_wait(&event);
    }
}

static void
tell_then_wake(int self)
{
    (void)self;
    atomic_fetch_add_explicit(&x, 1, memory_order_acq_rel);
    if (atomic_fetch_add_explicit(&y, 0, memory_order_acq_rel) == 1) {
        interleave_post(&event);
    }
}

START_TEST(harness_finds_a_thread_that_sleeps_for_ever)
{
    must_fail_with(
        (struct interleave_case){.name = "lost wake-up",
                                 .threads = {{"waker", tell_then_wake},
                                             {"sleeper", look_then_sleep}},
                                 .setup = begin},
        "somebody can go on");
}
END_TEST

static void
spin(int self)
{
    (void)self;
    while (!is_repaired &&
           atomic_load_explicit(&y, memory_order_relaxed) == 0) {
    }
}

START_TEST(harness_finds_a_thread_that_runs_for_ever)
{
    must_fail_with((struct interleave_case){.name = "livelock",
                                            .threads = {{"spinner", spin}},
                                            .setup = begin},
                   "the schedule comes to an end");
}
END_TEST

/* Two that wait for each other in turns: who spins and says so does not keep
   the one that it waits for. */
static void
spin_until(_Atomic int *value, int enough)
{
    while (atomic_load_explicit(value, memory_order_relaxed) < enough) {
        if (is_repaired) {
            interleave_give_way();
        }
    }
}

static void
tell_x_await_y(int self)
{
    (void)self;
    for (int turn = 1; turn <= 5; turn++) {
        atomic_store_explicit(&x, turn, memory_order_relaxed);
        spin_until(&y, turn);
    }
}

static void
await_x_tell_y(int self)
{
    (void)self;
    for (int turn = 1; turn <= 5; turn++) {
        spin_until(&x, turn);
        atomic_store_explicit(&y, turn, memory_order_relaxed);
    }
}

START_TEST(harness_lets_others_go_on_beside_a_thread_that_gives_way)
{
    must_fail_with((struct interleave_case){.name = "give way",
                                            .threads = {{"x", tell_x_await_y},
                                                        {"y", await_x_tell_y}},
                                            .setup = begin},
                   "the schedule comes to an end");
}
END_TEST

/* ---- a seed is a schedule ---- */

static char heard[64];
static int heard_count;

static void
talk(int self)
{
    for (int i = 0; i < 6; i++) {
        interleave_step();
        heard[heard_count++] = (char)('a' + self);
    }
}

static void
begin_talk(void)
{
    memset(heard, 0, sizeof(heard));
    heard_count = 0;
}

static void
check_heard(void)
{
    INTERLEAVE_CHECK(strcmp(heard + 12, "cbacba") != 0);
}

START_TEST(harness_repeats_a_schedule_from_its_seed)
{
    const struct interleave_case the_case = {
        .name = "talk",
        .threads = {{"a", talk}, {"b", talk}, {"c", talk}},
        .setup = begin_talk,
        .check = check_heard,
    };
    const char *claim;
    char before[sizeof(heard)];
    uint64_t seeds = interleave_seeds_to_failure(&the_case, SEEDS, &claim);
    ck_assert_uint_gt(seeds, 1);
    memcpy(before, heard, sizeof(heard));
    ck_assert_uint_eq(interleave_seeds_to_failure(&the_case, SEEDS, &claim),
                      seeds);
    ck_assert_str_eq(heard, before);
}
END_TEST

SUITE_MAIN("interleave/harness", harness_finds_a_lost_update,
           harness_finds_a_store_that_should_release,
           harness_finds_two_stores_that_miss_each_other,
           harness_follows_a_release_sequence_through_changes_only,
           harness_makes_a_barrier_for_the_thread_that_has_none,
           harness_does_not_take_a_barrier_for_a_release,
           harness_finds_a_thread_that_sleeps_for_ever,
           harness_finds_a_thread_that_runs_for_ever,
           harness_lets_others_go_on_beside_a_thread_that_gives_way,
           harness_repeats_a_schedule_from_its_seed)
