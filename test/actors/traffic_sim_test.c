/*
 * traffic_sim_test.c - the same traffic under schedules that seeds decide.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/traffic.h"
#include "test/support/sim.h"

static struct traffic traffic;

static void
conductor(peer_self self, void *arg)
{
    (void)arg;
    traffic_run(self, &traffic);
}
static void
scenario(void *arg)
{
    (void)arg;
    conduct(1, conductor, NULL);
}

START_TEST(s18_order_holds_under_any_schedule)
{
    traffic.rounds = 60;
    sim_each_seed(60, scenario, NULL);
}
END_TEST

START_TEST(s19_bounds_hold_under_any_schedule)
{
    traffic.rounds = 60;
    traffic.bound = 4;
    sim_each_seed(60, scenario, NULL);
    ck_assert_uint_gt(traffic.refused, 0);
}
END_TEST

START_TEST(s09_last_words_come_first_under_any_schedule)
{
    traffic.rounds = 5;
    sim_each_seed(200, scenario, NULL);
}
END_TEST

START_TEST(s65_the_same_seed_gives_the_same_trace)
{
    traffic.rounds = 40;
    uint64_t traces[8];
    for (uint64_t seed = 0; seed < 8; seed++) {
        traces[seed] = sim_seed_once(seed + 1, scenario, NULL);
    }
    for (uint64_t seed = 0; seed < 8; seed++) {
        ck_assert_uint_eq(sim_seed_once(seed + 1, scenario, NULL),
                          traces[seed]);
        ck_assert_uint_ne(traces[seed], traces[(seed + 1) % 8]);
    }
}
END_TEST

SUITE_MAIN("traffic_sim", s18_order_holds_under_any_schedule,
           s19_bounds_hold_under_any_schedule,
           s09_last_words_come_first_under_any_schedule,
           s65_the_same_seed_gives_the_same_trace)
