/*
 * ticks_test.c - timers that arrive as messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

static bool
next_tick(peer_self self, int64_t deadline_ns, struct coact_tick *out)
{
    bool found = false;
    COACT_RECEIVE_ONLY(self, deadline_ns, coact_tick) {
    case COACT_ON_TICK(t):
        *out = *t;
        found = true;
        break;
    }
    return found;
}

/* Timers are cancelled before, while and after they fire, on whatever worker
   the actor is by then. */
static void
cancel_at_any_time(peer_self self, void *arg)
{
    (void)arg;
    struct coact_tick tick;
    for (int i = 0; i < 2000; i++) {
        coact_timer_id timer;
        int64_t period = i % 2 == 0 ? 0 : 3000;
        ck_assert_int_eq(coact_timer_start(&timer, coact_in_ns((i % 20) * 1000),
                                           period, NULL),
                         0);
        for (int wait = i % 6; wait > 0; wait--) {
            coact_yield();
        }
        if (i % 5 == 0) {
            coact_sleep(coact_in_ns(20000));
        }
        if (i % 3 == 0) {
            (void)next_tick(self, COACT_NOW, &tick);
        }
        int rc = coact_timer_cancel(timer);
        ck_assert_msg(rc == 0 || (rc == -ENOENT && i % 3 == 0), "%d", rc);
        ck_assert_int_eq(coact_timer_cancel(timer), -ENOENT);
        ck_assert_msg(!next_tick(self, COACT_NOW, &tick),
                      "a tick after its cancel, round %d", i);
    }
    ck_assert(!next_tick(self, coact_in_ms(2), &tick));
}
START_TEST(s35_a_cancelled_timer_is_never_received)
{
    conduct(2, cancel_at_any_time, NULL);
}
END_TEST

static void
cancel_queued(peer_self self, void *arg)
{
    (void)arg;
    struct coact_tick tick;
    coact_timer_id timer;
    ck_assert_int_eq(coact_timer_start(&timer, coact_in_ns(1), 0, NULL), 0);
    while (coact_pending() == 0) {
        coact_sleep(coact_in_ns(10000));
    }
    ck_assert_int_eq(coact_timer_cancel(timer), 0);
    ck_assert_uint_eq(coact_pending(), 0);
    ck_assert(!next_tick(self, COACT_NOW, &tick));
    // Cancelled by the very arm that handles it.
    ck_assert_int_eq(coact_timer_start(&timer, coact_in_ns(1), 1000, NULL), 0);
    COACT_RECEIVE(self, IN_TIME) {
    case COACT_ON_TICK(t):
        ck_assert_int_eq(coact_timer_cancel(t->timer), 0);
        break;
    }
    ck_assert(!next_tick(self, coact_in_ms(1), &tick));
}
START_TEST(s35_a_tick_that_waits_in_the_mailbox_goes_with_its_timer)
{
    conduct(2, cancel_queued, NULL);
}
END_TEST

/* The tick lies in the inbox, which we have not looked into since. */
static void
cancel_unseen(peer_self self, void *arg)
{
    (void)arg;
    struct coact_tick tick;
    for (int i = 0; i < 50; i++) {
        struct coact_runtime_stats before, now;
        coact_timer_id timer;
        coact_stats(coact_runtime_here(), &before);
        ck_assert_int_eq(coact_timer_start(&timer, coact_in_ns(1000), 0, NULL),
                         0);
        do { // we keep our worker; another fires it
            coact_stats(coact_runtime_here(), &now);
        } while (now.timers_fired == before.timers_fired);
        ck_assert_int_eq(coact_timer_cancel(timer), 0);
        ck_assert(!next_tick(self, COACT_NOW, &tick));
        coact_sleep(coact_in_ns(100000)); // the others park
    }
}
START_TEST(s35_a_tick_that_we_have_not_seen_arrive_goes_with_its_timer)
{
    conduct(2, cancel_unseen, NULL);
}
END_TEST

static void
one_outstanding(peer_self self, void *arg)
{
    (void)arg;
    struct coact_tick tick;
    coact_timer_id timer;
    int data;
    int64_t begun = coact_now_ns();
    ck_assert_int_eq(
        coact_timer_start(&timer, coact_in_ms(1), COACT_MS(1), &data), 0);
    coact_sleep(coact_in_ms(20));
    ck_assert_uint_eq(coact_pending(), 1);
    uint64_t periods = 0;
    for (int i = 0; i < 5; i++) {
        ck_assert(next_tick(self, IN_TIME, &tick));
        ck_assert_ptr_eq(tick.data, &data);
        ck_assert_uint_eq(tick.timer.id, timer.id);
        periods += tick.missed + 1;
        int64_t passed = (coact_now_ns() - begun) / COACT_MS(1);
        ck_assert_int_le((int64_t)periods, passed);
        if (i == 0) {
            ck_assert_uint_ge(periods, 15);
        }
    }
    ck_assert_int_eq(coact_timer_cancel(timer), 0);
}
START_TEST(s36_at_most_one_tick_waits_and_tells_of_those_it_stands_for)
{
    conduct(2, one_outstanding, NULL);
}
END_TEST

static void
from_now(peer_self self, void *arg)
{
    (void)arg;
    struct coact_tick tick;
    coact_timer_id timer;
    ck_assert_int_eq(
        coact_timer_start(&timer, COACT_NOW, COACT_SECONDS(3600), NULL), 0);
    ck_assert(next_tick(self, IN_TIME, &tick));
    ck_assert_uint_eq(tick.missed, 0);
    ck_assert(!next_tick(self, coact_in_ms(2), &tick));
}
START_TEST(s36_a_period_that_begins_now_has_missed_nothing)
{
    conduct(1, from_now, NULL);
}
END_TEST

/* A second tick would be later than time has room for. */
static void
never_again(peer_self self, void *arg)
{
    (void)arg;
    static const int64_t periods[] = {COACT_FOREVER, COACT_FOREVER - 1,
                                      COACT_FOREVER / 2};
    for (int i = 0; i < 3; i++) {
        struct coact_tick tick;
        coact_timer_id timer;
        ck_assert_int_eq(
            coact_timer_start(&timer, coact_in_ns(1000), periods[i], NULL), 0);
        ck_assert(next_tick(self, IN_TIME, &tick));
        ck_assert(!next_tick(self, coact_in_ms(1), &tick));
        ck_assert_int_eq(coact_timer_cancel(timer), 0);
    }
}

START_TEST(a_period_of_centuries_ticks_once)
{
    conduct(1, never_again, NULL);
}
END_TEST

static void
dies_with_timers(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 20; i++) {
        coact_timer_id timer;
        ck_assert_int_eq(coact_timer_start(&timer, coact_in_ns(i * 3000),
                                           i % 2 * 2000, NULL),
                         0);
    }
    coact_sleep(coact_in_ns(30000));
}
static void
timers_of_the_dying(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 500; i++) {
        peer_ref p = spawn_peer(dies_with_timers, NULL);
        coact_sleep(coact_in_ns((i % 10) * 4000));
        if (i % 2 == 0) {
            coact_kill(p.ref);
        }
        join_peer(p);
    }
}
START_TEST(timers_end_with_their_actor_whatever_state_they_are_in)
{
    conduct(2, timers_of_the_dying, NULL);
}
END_TEST

#define MANY_TIMERS 1000
static void
many_timers(peer_self self, void *arg)
{
    (void)arg;
    static bool seen[MANY_TIMERS];
    for (size_t i = 0; i < MANY_TIMERS; i++) {
        coact_timer_id timer;
        ck_assert_int_eq(
            coact_timer_start(&timer,
                              coact_in_ns((int64_t)((i * 7919) % 5000) * 1000),
                              0, &seen[i]),
            0);
    }
    struct coact_tick tick;
    for (size_t i = 0; i < MANY_TIMERS; i++) {
        ck_assert(next_tick(self, IN_TIME, &tick));
        bool *mark = tick.data;
        ck_assert(!*mark);
        *mark = true;
    }
    ck_assert(!next_tick(self, COACT_NOW, &tick));
}
START_TEST(every_timer_fires_once)
{
    conduct(2, many_timers, NULL);
}
END_TEST

SUITE_MAIN("ticks", s35_a_cancelled_timer_is_never_received,
           s35_a_tick_that_waits_in_the_mailbox_goes_with_its_timer,
           s35_a_tick_that_we_have_not_seen_arrive_goes_with_its_timer,
           s36_at_most_one_tick_waits_and_tells_of_those_it_stands_for,
           s36_a_period_that_begins_now_has_missed_nothing,
           a_period_of_centuries_ticks_once,
           timers_end_with_their_actor_whatever_state_they_are_in,
           every_timer_fires_once)
