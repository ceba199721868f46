/*
 * supervisor_limit_test.c - the window of restarts and the backoff, alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_limit.h"

#include "runtime/oracle_sim.h"
#include "test/support/suite.h"

START_TEST(a_window_takes_exactly_its_intensity_within_a_period)
{
    struct coact__window window;
    ck_assert_int_eq(coact__window_init(&window, 3, 100), 0);
    for (int64_t at = 10; at <= 30; at += 10) {
        ck_assert(coact__window_add(&window, at));
    }
    ck_assert_int_eq(coact__window_left(&window, 30), 0);
    ck_assert(!coact__window_add(&window, 40));
    ck_assert(!coact__window_add(&window, 110)); // 10 is just within
    ck_assert(coact__window_add(&window, 111));  // and now it is not
    ck_assert(!coact__window_add(&window, 111));
    ck_assert_uint_eq(coact__window_used(&window, 111), 3);
    ck_assert_int_eq(coact__window_left(&window, 121), 1);
    ck_assert_int_eq(coact__window_left(&window, 1000), 3);
    coact__window_fini(&window);
}
END_TEST

START_TEST(a_window_forgets_in_order_however_often_it_turns)
{
    struct coact__window window;
    ck_assert_int_eq(coact__window_init(&window, 7, 100), 0);
    int64_t now_ns = 0;
    for (int i = 0; i < 10000; i++) {
        // One each 15: at most seven lie within any 100.
        now_ns += 15;
        ck_assert(coact__window_add(&window, now_ns));
        ck_assert_uint_le(coact__window_used(&window, now_ns), 7);
    }
    coact__window_fini(&window);
}
END_TEST

START_TEST(no_restarts_and_no_limit_can_be_said)
{
    struct coact__window window;
    ck_assert_int_eq(coact__window_init(&window, COACT_NO_RESTARTS, 100), 0);
    ck_assert(!coact__window_add(&window, 1));
    ck_assert_int_eq(coact__window_left(&window, 1), 0);
    coact__window_fini(&window);
    ck_assert_int_eq(coact__window_init(&window, COACT_RESTART_FOREVER, 100),
                     0);
    for (int i = 0; i < 1000; i++) {
        ck_assert(coact__window_add(&window, 1));
    }
    ck_assert_int_eq(coact__window_left(&window, 1), COACT_RESTART_FOREVER);
    coact__window_fini(&window);
}
END_TEST

START_TEST(a_backoff_doubles_up_to_its_maximum_and_keeps_half)
{
    struct coact_backoff backoff = {.first_ns = 1000, .max_ns = 16000};
    coact__backoff_complete(&backoff);
    for (uint64_t seed = 0; seed < 200; seed++) {
        coact__sim_seed(seed);
        int64_t full_ns = 1000;
        for (uint32_t nth = 1; nth <= 100; nth++) {
            int64_t wait_ns = coact__backoff_wait_ns(&backoff, nth, false);
            ck_assert_int_le(wait_ns, full_ns);
            ck_assert_int_ge(wait_ns, full_ns / 2);
            full_ns = full_ns < 16000 ? full_ns * 2 : full_ns;
        }
    }
}
END_TEST

START_TEST(a_backoff_is_spread_by_chance)
{
    struct coact_backoff backoff = {.first_ns = COACT_SECONDS(1)};
    coact__backoff_complete(&backoff);
    coact__sim_seed(1);
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t wait_ns = coact__backoff_wait_ns(&backoff, 1, false);
        least = wait_ns < least ? wait_ns : least;
        most = wait_ns > most ? wait_ns : most;
    }
    ck_assert_int_lt(least, COACT_MS(505));
    ck_assert_int_gt(most, COACT_MS(995));
}
END_TEST

START_TEST(without_a_backoff_a_crash_waits_for_nothing_a_failed_start_does)
{
    struct coact_backoff none = {.first_ns = 0};
    coact__backoff_complete(&none);
    ck_assert_int_eq(none.max_ns, COACT_SECONDS(30));
    ck_assert_int_eq(none.reset_ns, COACT_SECONDS(30));
    ck_assert_int_eq(coact__backoff_wait_ns(&none, 5, false), 0);
    ck_assert_int_ge(coact__backoff_wait_ns(&none, 1, true), COACT_MS(5));
    struct coact_backoff never = {.first_ns = COACT_NO_BACKOFF};
    coact__backoff_complete(&never);
    ck_assert_int_eq(coact__backoff_wait_ns(&never, 9, false), 0);
    ck_assert_int_le(coact__backoff_wait_ns(&never, 9, true), COACT_US(1));
}
END_TEST

START_TEST(the_longest_backoff_does_not_overflow)
{
    struct coact_backoff backoff = {.first_ns = 1, .max_ns = INT64_MAX};
    coact__backoff_complete(&backoff);
    for (uint32_t nth = 1; nth < 200; nth++) {
        ck_assert_int_ge(coact__backoff_wait_ns(&backoff, nth, false), 0);
    }
    ck_assert_int_ge(coact__backoff_wait_ns(&backoff, UINT32_MAX, true),
                     INT64_MAX / 2);
}
END_TEST

SUITE_MAIN("supervisor_limit",
           a_window_takes_exactly_its_intensity_within_a_period,
           a_window_forgets_in_order_however_often_it_turns,
           no_restarts_and_no_limit_can_be_said,
           a_backoff_doubles_up_to_its_maximum_and_keeps_half,
           a_backoff_is_spread_by_chance,
           without_a_backoff_a_crash_waits_for_nothing_a_failed_start_does,
           the_longest_backoff_does_not_overflow)
