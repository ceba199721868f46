/*
 * timers_test.c - the lock around a wheel: who finds it held comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/timers.h"

#include "test/support/suite.h"

static struct coact__timers timers;
static int fired;

static void
count(struct coact__timer *timer)
{
    (void)timer;
    fired++;
}

START_TEST(who_finds_the_timers_held_does_not_wait_and_nothing_is_lost)
{
    coact__timers_init(&timers, 0);
    struct coact__timer timer = {.fire = count};
    ck_assert(coact__timer_arm(&timers, &timer, 1000));
    coact__spin_lock(&timers.lock);
    ck_assert_uint_eq(coact__timers_run(&timers, 5000), 0);
    coact__spin_unlock(&timers.lock);
    ck_assert_int_eq(fired, 0);
    // Whoever goes to sleep now still sees that something is due.
    ck_assert_int_le(coact__timers_next_ns(&timers), 5000);
    ck_assert_uint_eq(coact__timers_run(&timers, 5000), 1);
    ck_assert_int_eq(fired, 1);
    ck_assert(!coact__timer_cancel(&timer));
    coact__timers_fini(&timers);
}
END_TEST

SUITE_MAIN("timers",
           who_finds_the_timers_held_does_not_wait_and_nothing_is_lost)
